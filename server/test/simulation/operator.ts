// What administrators, auditors and bad luck do during a run.

import { type Entry, payloadOf } from './ledger.ts';
import { type Play, plainPut } from './play.ts';
import { serviceName } from './service.ts';

/** The ten minutes for which ids are known are wall time: jumps stay well below. */
const wallAwayMs = 240_000;

const by = { gid: 'audit', uid: 'auditor' };

export async function operate(play: Play): Promise<void> {
  const { stage, random } = play;
  while (!stage.isCalm) {
    await stage.clock.sleep(random.fraction() * 800);
    const drawn = random.fraction();
    if (drawn < 0.5) await audit(play, random.chance(0.6) ? 'input' : 'sink');
    else if (drawn < 0.56) await look(play);
    else if (drawn < 0.6) await commitBlindly(play);
    else if (drawn < 0.65) await remove(play);
    else if (drawn < 0.68) await cancel(play);
    else if (drawn < 0.7) await redrive(play);
    else if (drawn < 0.75) await truncate(play);
    else if (drawn < 0.82) await endAndReopen(play);
    else if (drawn < 0.92) await change(play);
    else await fillDisk(play);
  }
  await reopen(play);
}

/** Kills the process now and then, and moves the wall clock. */
export async function strike({ stage, random }: Play): Promise<void> {
  const paceMs = random.pick([400, 2_000, 10_000]);
  let awayMs = 0;
  while (!stage.isCalm) {
    await stage.clock.sleep(random.fraction() * paceMs);
    if (stage.isCalm) return;
    if (random.chance(0.2)) {
      const byMs = random.between(-wallAwayMs, wallAwayMs) - awayMs;
      awayMs += byMs;
      stage.note(`the wall clock jumps by ${byMs} ms`);
      stage.clock.jumpWall(byMs);
    } else {
      await stage.crash();
    }
  }
}

async function audit(play: Play, name: 'input' | 'sink'): Promise<void> {
  const { stage, oracle, results } = play;
  const { ledger } = oracle;
  const sure = name === 'input' ? ledger.certainInput() : ledger.certainSink();
  const visible = sure.filter((one) => !('hiddenSince' in one) || one.hiddenSince === undefined);
  const request = { from: 0, length: 1_000, timeoutMs: 0, autoDelete: false, id: undefined, by };
  const answer = await stage.ask((queues) =>
    queues.get(name, { ...request, tags: new Map() }, undefined),
  );
  if (answer.kind !== 'ok') return;
  const { messages } = answer.value;
  answer.value.taken();
  if (messages.length === 1_000) return;
  results.audit(name, visible, new Set(messages.map(({ index }) => index)));
}

/** Questions that change nothing must never fail. */
async function look({ stage, oracle, random }: Play): Promise<void> {
  const entry = random.pick([undefined, ...oracle.ledger.entries]);
  const index = entry?.index ?? 1;
  await stage.ask((queues) => queues.search('input', index, by));
  const filter = { tags: new Map(), id: entry?.id, priority: undefined };
  await stage.ask((queues) => queues.count('input', filter));
  stage.queues?.view('input');
  stage.queues?.view('sink');
}

async function remove({ stage, oracle, random }: Play): Promise<void> {
  const entry = random.pick([undefined, ...oracle.ledger.entries]);
  if (entry?.index === undefined) return;
  const { index } = entry;
  stage.note(`delete ${index}`);
  entry.causes.add('deleted');
  await stage.ask((queues) => queues.delete('input', [index]));
}

/** Of a cancel and a completion the first one wins. */
async function cancel({ stage, oracle, random }: Play): Promise<void> {
  const entry = random.pick([undefined, ...oracle.ledger.entries.slice(-20)]);
  if (entry?.index === undefined) return;
  const { index } = entry;
  stage.note(`cancel ${index}`);
  entry.causes.add('canceled');
  const answer = await stage.ask((queues) => queues.requests.cancel(index, 'no longer needed'));
  if (answer.kind === 'ok') oracle.cancelAnswered(entry, answer.value);
}

/** Puts a dead message anew: from the rear queue into the input, or nothing of it. */
async function redrive({ stage, oracle, random }: Play): Promise<void> {
  const { ledger } = oracle;
  const found = await stage.ask((queues) => queues.requests.deadWithin(1, Number.MAX_SAFE_INTEGER));
  if (found.kind !== 'ok' || found.value.length === 0) return;
  const { index: rearIndex, source } = random.pick(found.value);
  const dead = ledger.byIndex(source);
  if (dead === undefined) return;
  const how = { home: 'sink', priority: 0, callerId: undefined, isPoison: false } as const;
  const entry = oracle.putAsked(how);
  const askedAt = stage.now;
  stage.note(`redrive ${source} as ${entry.token}`);
  if (dead.redriven === 'no') dead.redriven = 'perhaps';
  const request = plainPut(payloadOf(entry), { gid: 'eas', uid: 'redriver' });
  const answer = await stage.ask((queues) => queues.requests.redrive(rearIndex, request, source));
  if (answer.kind === 'ok') dead.redriven = 'yes';
  if (answer.kind === 'refused' && answer.code === 'not_found') return;
  oracle.putAnswered(entry, askedAt, answer);
}

/** Rule 6: a commit of what was never delivered to its group does nothing. */
async function commitBlindly({ stage, oracle, random }: Play): Promise<void> {
  const indexes = oracle.ledger.entries.map(({ index }) => index ?? 0);
  const index = random.pick([1_000_000, ...indexes.slice(-10)]);
  const stranger = { gid: serviceName, uid: 'stranger' };
  await stage.ask((queues) => queues.commit('input', [index], stranger));
}

async function truncate({ stage, oracle, random }: Play): Promise<void> {
  const entry = random.pick([undefined, ...oracle.ledger.entries]);
  if (entry?.index === undefined || random.chance(0.2)) return;
  const below = entry.index;
  const canTouch = (other: Entry): boolean => other.index === undefined || other.index < below;
  stage.note(`truncate below ${below}`);
  oracle.doubt('truncated', canTouch);
  await stage.ask((queues) => queues.truncate('input', below));
  oracle.doubt('truncated', canTouch);
}

async function endAndReopen(play: Play): Promise<void> {
  const { stage, oracle, random } = play;
  const force = random.chance(0.3);
  stage.note(`end, force ${force}`);
  if (force) oracle.doubt('forceEnded', () => true);
  oracle.endAsked();
  const answer = await stage.ask((queues) => queues.end('input', force));
  if (force) oracle.doubt('forceEnded', () => true);
  stage.note(`ended: ${answer.kind}`);
  oracle.endAnswered(answer);
  await stage.clock.sleep(random.fraction() * 500);
  await reopen(play);
}

async function reopen({ stage, oracle }: Play): Promise<void> {
  oracle.reopenAsked();
  for (;;) {
    const answer = await stage.ask((queues) => queues.reopen('input'));
    stage.note(`reopen: ${answer.kind}`);
    if (answer.kind === 'ok') return oracle.reopened();
    await stage.clock.sleep(50);
  }
}

async function change({ stage, oracle, random }: Play): Promise<void> {
  const { settings } = stage;
  const changed = {
    ...settings,
    source: { ...settings.source, capacity: random.between(3, 100) },
    sink: { ...settings.sink, capacity: random.between(1, 30) },
    deliveryMax: settings.deliveryMax === 0 ? 0 : random.between(2, 5),
  };
  const { source, sink, deliveryMax } = changed;
  stage.note(`change to ${source.capacity}, ${sink.capacity}, ${deliveryMax}`);
  oracle.limits.changing(changed);
  if (await stage.change(changed)) oracle.limits.changed(changed);
}

async function fillDisk({ stage, random }: Play): Promise<void> {
  stage.note('the disk is full');
  stage.fill(true);
  await stage.clock.sleep(random.fraction() * 300);
  stage.fill(false);
}
