// Plays the ends of leases on the broker and says what they mean to the model.

import { backOffMs, type Command } from './queue-commands.ts';
import { fact, type ModelMessage, markOf } from './queue-model-state.ts';
import { insertResult, nthOf } from './queue-play-puts.ts';
import { bytes } from './queue-requests.ts';
import type { Session, Slot } from './queue-session.ts';
import { serviceName } from './queue-world.ts';

interface Held {
  readonly slot: Slot;
  readonly message: ModelMessage;
  readonly token: number;
}

/** All leases of now, in a fixed order. */
function heldBy(session: Session, isWanted: (held: Held) => boolean): Held[] {
  const found: Held[] = [];
  for (const consumer of session.model.consumers.values()) {
    for (const message of session.model.held(consumer)) {
      const token = markOf(message, consumer.gid).lease?.token ?? 0;
      const held = { slot: consumer, message, token };
      if (isWanted(held)) found.push(held);
    }
  }
  return found;
}

export async function complete(
  session: Session,
  nth: number,
  how: 'text' | 'empty' | 'failed',
): Promise<void> {
  const { model, world } = session;
  if (!model.settings.declaresInstances) return commit(session, nth, true);
  const isWorking = ({ slot }: Held) => slot.queue === 'input' && slot.gid === serviceName;
  const held = nthOf(heldBy(session, isWorking), nth);
  if (held === undefined) return;
  const { message } = held;
  const answer = await session.ask(
    world.queues.complete({
      deliveryId: held.token,
      payload: how === 'text' ? bytes(`r${message.index}`) : undefined,
      contentType: undefined,
      outcome: how === 'failed' ? 'failed' : 'succeeded',
      code: how === 'failed' ? '500' : '',
      reason: '',
      firstOutputAt: 0,
    }),
  );
  fact('value' in answer, `a valid completion of ${message.index} was refused`);
  const result = answer.value;
  if (message.place === 'held' && how !== 'empty') {
    fact(result > 0, `the result of ${message.index} got no index`);
    insertResult(session, result, message, how === 'text' ? `r${message.index}` : '');
    message.place = result;
  } else if (typeof message.place === 'number') {
    fact(result === message.place || how === 'empty', `a second result of ${message.index}`);
  } else {
    fact(result === 0, `a result of ${message.index} came into the sink`);
  }
  model.remove('input', message, how === 'failed' ? 'failed' : 'succeeded');
}

export async function completeStale(session: Session, nth: number): Promise<void> {
  const current = new Set(heldBy(session, () => true).map(({ token }) => token));
  const stale = session.tokens.filter(({ token }) => !current.has(token));
  const chosen = nthOf(stale, nth);
  if (chosen === undefined) return;
  const { token, queue } = chosen;
  const answer = await session.ask<unknown>(
    nth % 2 === 0
      ? session.world.queues.commitDelivery(queue, token)
      : session.world.queues.complete({
          deliveryId: token,
          payload: bytes('stale'),
          contentType: undefined,
          outcome: 'succeeded',
          code: '',
          reason: '',
          firstOutputAt: 0,
        }),
  );
  fact('code' in answer && answer.code === 'stale_delivery', `stale token ${token} was taken`);
  // Who says that it is done is free of it, too late or not.
  for (const consumer of session.model.consumers.values()) {
    if (consumer.queue === queue) consumer.occupied.delete(token);
  }
}

export async function commit(session: Session, nth: number, byToken: boolean): Promise<void> {
  const held = nthOf(
    heldBy(session, () => true),
    nth,
  );
  if (held === undefined) return;
  const { slot, message, token } = held;
  const { queues } = session.world;
  const by = { gid: slot.gid, uid: slot.key };
  const answer = await session.ask(
    byToken
      ? queues.commitDelivery(slot.queue, token)
      : queues.commit(slot.queue, [message.index], by),
  );
  fact('value' in answer, `a commit of ${message.index} was refused`);
  session.model.commit(slot.queue, message, slot.gid);
}

export async function negative(session: Session, nth: number, shutdown: boolean): Promise<void> {
  const isOpen = ({ slot }: Held) => session.model.consumers.get(slot.key)?.open === true;
  const held = nthOf(heldBy(session, isOpen), nth);
  if (held === undefined) return;
  const { slot, message } = held;
  const by = { gid: slot.gid, uid: slot.key };
  // Another code would make the message back off for a random time.
  const code = shutdown ? 'Shutdown' : '';
  await session.ask(session.world.queues.negative(slot.queue, [message.index], by, code, ''));
  const consumer = session.model.consumers.get(slot.key);
  if (consumer !== undefined) consumer.leaving ||= shutdown;
  const how = { counted: !shutdown, returnedBy: slot.key };
  session.model.giveBack(slot.queue, message, slot.gid, how);
}

export async function giveBack(
  session: Session,
  command: Extract<Command, { do: 'giveBack' }>,
): Promise<void> {
  const { nth, counted, delayed } = command;
  const held = nthOf(
    heldBy(session, () => true),
    nth,
  );
  if (held === undefined) return;
  const { slot, message, token } = held;
  const delayMs = delayed ? backOffMs : 0;
  const request = { deliveryId: token, counted, code: '', reason: '', delayMs };
  await session.ask(session.world.queues.giveBack(slot.queue, request));
  const notBefore = delayed ? session.now.mono + delayMs : 0;
  session.model.giveBack(slot.queue, message, slot.gid, {
    counted,
    notBefore,
    returnedBy: slot.key,
  });
}

export async function freed(session: Session): Promise<void> {
  for (const consumer of session.model.consumers.values()) {
    for (const token of consumer.occupied) {
      session.world.queues.freed(consumer.queue, token);
      await session.settle();
      consumer.occupied.delete(token);
      return;
    }
  }
}
