// Plays one command on the broker and on the model. Puts and the ends of leases have files of their
// own; here are watches, reads, removals and what happens to the whole.

import { type Command, stepMs } from './queue-commands.ts';
import { fact, type ModelQueueName, markOf } from './queue-model-state.ts';
import { commit, complete, completeStale, freed, giveBack, negative } from './queue-play-leases.ts';
import { nameOf, nthOf, put, resultPut, sinkPut } from './queue-play-puts.ts';
import { cancel, redrive, request } from './queue-play-requests.ts';
import { text } from './queue-requests.ts';
import type { Session } from './queue-session.ts';

export async function play(session: Session, command: Command): Promise<void> {
  switch (command.do) {
    case 'put':
      return put(session, command);
    case 'request':
      return request(session, command);
    case 'cancel':
      return cancel(session, command.nth);
    case 'redrive':
      return redrive(session, command.nth);
    case 'sinkPut':
      return sinkPut(session);
    case 'resultPut':
      return resultPut(session, command.nth);
    case 'watch':
      return watch(session, command.slot, command.keep);
    case 'close':
      return close(session, command.slot, command.how);
    case 'complete':
      return complete(session, command.nth, command.how);
    case 'completeStale':
      return completeStale(session, command.nth);
    case 'commit':
      return commit(session, command.nth, command.byToken);
    case 'negative':
      return negative(session, command.nth, command.shutdown);
    case 'giveBack':
      return giveBack(session, command);
    case 'freed':
      return freed(session);
    case 'get':
      return get(session, command);
    case 'delete':
      return remove(session, nameOf(command.sink), command.nth);
    case 'truncate':
      return truncate(session, nameOf(command.sink), command.nth);
    case 'end':
      return end(session, nameOf(command.sink), command.force);
    case 'reopen': {
      await session.ask(session.world.queues.reopen(nameOf(command.sink)));
      session.model.queue(nameOf(command.sink)).ended = false;
      return;
    }
    case 'advance':
      return session.advance(stepMs);
    case 'crash':
      return crash(session, command.keep);
    case 'capacity': {
      const { source, sink } = command;
      await session.world.change({ source: { capacity: source }, sink: { capacity: sink } });
      const { settings } = session.model;
      session.model.settings = {
        ...settings,
        source: { ...settings.source, capacity: source },
        sink: { ...settings.sink, capacity: sink },
      };
      return;
    }
  }
}

async function watch(session: Session, nth: number, keep: number): Promise<void> {
  const slot = nthOf(session.slots, nth);
  if (slot === undefined) return;
  const { model } = session;
  const known = model.consumers.get(slot.key);
  const isTakeover = known?.open === true;
  if (isTakeover && session.takeovers >= 2) return;
  session.takeovers += isTakeover ? 1 : 0;
  const held = known === undefined ? [] : model.held(known);
  const tokens = held.map((message) => markOf(message, slot.gid).lease?.token ?? 0);
  const holding = slot.kind === 'eas' ? [] : tokens.filter((_, at) => ((keep >> at) & 1) === 1);
  const code = await session.connect(slot, holding);
  const queue = model.queue(slot.queue);
  const isOver = queue.ended && queue.messages.length === 0;
  fact(code === (isOver ? 'ended' : undefined), `${slot.key}: the watch was answered ${code}`);
  if (code !== undefined) return;
  if (isTakeover) model.close(known, 'replaced', session.now);
  const consumer = known ?? { ...slot, open: true, leaving: false, lostUntil: 0, ...freshSets() };
  consumer.open = true;
  consumer.leaving = false;
  queue.groups.add(slot.gid);
  model.consumers.set(slot.key, consumer);
  for (const message of held) {
    const { lease } = markOf(message, slot.gid);
    if (slot.kind === 'eas') consumer.again.add(message.index);
    else if (lease !== undefined && holding.includes(lease.token)) lease.resumeBy = 0;
    else if (lease !== undefined) {
      model.giveBack(slot.queue, message, slot.gid, { counted: false });
    }
  }
  const kept = [...(session.watchOf(slot.key)?.watch.held ?? [])].sort().join();
  fact(kept === [...holding].sort().join(), `${slot.key}: resumed [${kept}], not [${holding}]`);
}

function freshSets(): { occupied: Set<number>; again: Set<number> } {
  return { occupied: new Set(), again: new Set() };
}

async function close(session: Session, nth: number, how: 'cut' | 'dead' | 'drain'): Promise<void> {
  const open = [...session.model.consumers.values()].filter((consumer) => consumer.open);
  const consumer = nthOf(open, nth);
  if (consumer === undefined) return;
  const mustDie = consumer.kind === 'worker' && (how === 'cut' || consumer.occupied.size > 0);
  const way = mustDie ? 'dead' : how;
  const watched = session.watchOf(consumer.key);
  if (watched !== undefined) await session.ask(watched.watch.close(way));
  session.forget(consumer.key);
  session.model.close(consumer, way, session.now);
}

async function crash(session: Session, keep: number): Promise<void> {
  const { model } = session;
  const streams = [...model.consumers.values()].filter(({ kind }) => kind === 'stream');
  const back = streams.filter((stream) => stream.open || model.held(stream).length > 0);
  await session.crash();
  for (const consumer of model.consumers.values()) {
    model.close(consumer, consumer.kind === 'stream' ? 'cut' : 'drain', session.now);
    consumer.occupied.clear();
    // The idle time of a lease that survives may begin anew.
    for (const message of model.held(consumer)) {
      const { lease } = markOf(message, consumer.gid);
      if (lease !== undefined) lease.idleDueAt = model.idleEnd(session.now);
    }
  }
  for (const stream of back) {
    const nth = session.slots.findIndex((slot) => slot.key === stream.key);
    await watch(session, nth, keep);
  }
}

async function get(session: Session, command: Extract<Command, { do: 'get' }>): Promise<void> {
  const name = nameOf(command.sink);
  const { messages } = session.model.queue(name);
  const from = command.from > 4 ? (nthOf(messages, command.from)?.index ?? 0) : 0;
  const expected = messages.filter(({ index }) => index >= from).slice(0, command.length);
  const { length, del } = command;
  const handout = await session.world.handout(name, { from, length, autoDelete: del });
  const seen = handout.messages.map(({ index, payload }) => `${index}:${text(payload)}`).join();
  const wanted = expected.map(({ index, body }) => `${index}:${body}`).join();
  fact(seen === wanted, `get answered [${seen}], not [${wanted}]`);
  if (del) {
    const shown = session.world.view(name).length;
    fact(shown === messages.length - expected.length, `${name}: hidden messages are counted`);
  }
  if (command.cut) handout.cut();
  else handout.taken();
  await session.settle();
  if (!del || command.cut) return;
  for (const message of expected) session.drop(name, message, 'taken');
}

async function remove(session: Session, name: ModelQueueName, nth: number): Promise<void> {
  const message = nthOf(session.model.queue(name).messages, nth);
  if (message === undefined) return;
  await session.ask(session.world.queues.delete(name, [message.index]));
  session.drop(name, message, 'dropped');
}

async function truncate(session: Session, name: ModelQueueName, nth: number): Promise<void> {
  const { messages } = session.model.queue(name);
  const last = nthOf(messages, nth);
  if (last === undefined) return;
  await session.ask(session.world.queues.truncate(name, last.index + 1));
  for (const message of [...messages]) {
    if (message.index <= last.index) session.drop(name, message, 'dropped');
  }
}

async function end(session: Session, name: ModelQueueName, force: boolean): Promise<void> {
  await session.ask(session.world.queues.end(name, force));
  const queue = session.model.queue(name);
  queue.ended = true;
  if (!force) return;
  for (const message of [...queue.messages]) session.drop(name, message, 'dropped');
}
