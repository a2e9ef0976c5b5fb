// Plays what the request API adds to messages on the broker and on the model: terms and keys of a
// submission, cancels, and the dead put anew.

import { readAfterwards } from '../../src/queue/afterwards.ts';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { type Command, delayMs, finishMs, startMs } from './queue-commands.ts';
import { fact, markOf } from './queue-model-state.ts';
import { nthOf, refusal, takeIn } from './queue-play-puts.ts';
import { putRequest } from './queue-requests.ts';
import type { Session } from './queue-session.ts';
import { serviceName } from './queue-world.ts';
import { deskOf } from './request-world.ts';

/** Where all groups are equal, nobody completes requests: there are no delays and no records. */
export async function request(
  session: Session,
  command: Extract<Command, { do: 'request' }>,
): Promise<void> {
  const { model, world } = session;
  const { declaresInstances } = model.settings;
  const { priority } = command;
  const home = command.isRecord && declaresInstances ? 'record' : 'sink';
  const key = command.key === 0 ? undefined : `key${command.key}`;
  const body = `q${key === undefined ? 'x' : command.body}`;
  const { wall, mono } = session.now;
  const isDelayed = command.isDelayed && declaresInstances;
  const finishBy = command.hasFinish ? wall + finishMs : 0;
  const delayUntil = isDelayed ? wall + delayMs : 0;
  const terms = writeTerms({ ...noTerms, delayUntil, finishBy });
  const expiresAt = command.hasStart ? wall + startMs : 0;
  const change = { priority, home, expiresAt, terms, owner: 'me', idempotencyKey: key } as const;
  const answer = await session.ask(world.queues.put('input', putRequest(body, change)));
  const first = key === undefined ? undefined : session.keys.get(key);
  if (first !== undefined) {
    const told = 'code' in answer ? answer.code : answer.value.repeated && answer.value.index;
    const expected = first.body === body ? first.index : 'key_reused';
    fact(told === expected, `${key} again was answered ${told}, not ${expected}`);
    return;
  }
  const index = takeIn(session, answer, { body, tag: '', priority, home, expiresAt, finishBy });
  if (index === undefined) return;
  if (key !== undefined) session.keys.set(key, { index, body });
  const message = model.message('input', index);
  if (message === undefined || !isDelayed) return;
  markOf(message, serviceName).notBefore = mono + delayMs;
}

/** A message that waits or runs, or one that had come to rest. */
export async function cancel(session: Session, nth: number): Promise<void> {
  const { model, world } = session;
  const { requests } = world.queues;
  const message = nthOf(model.input.messages, nth);
  const index = message?.index ?? nthOf([...model.rest.keys()], nth);
  if (index === undefined) return;
  const answer = await session.ask(requests.cancel(index, 'not wanted'));
  const told = 'code' in answer ? answer.code : answer.value;
  fact(told === (message !== undefined), `the cancel of ${index} was answered ${told}`);
  if (message !== undefined) session.drop('input', message, 'canceled');
}

export async function redrive(session: Session, nth: number): Promise<void> {
  const { model, world } = session;
  const { dead: desk } = deskOf(world);
  const page = await world.run(desk.list(serviceName, { below: 0, limit: 100 }));
  const chosen = nthOf(page.dead, nth);
  const was = chosen && model.dead.input.get(chosen.index);
  if (chosen === undefined || was === undefined) return;
  const asItWas = { payload: undefined, contentType: undefined, tags: undefined };
  const edit = { ...asItWas, priority: undefined, path: undefined };
  const answer = await session.ask(desk.redrive(serviceName, chosen.rearIndex, edit));
  const { id, body, tag, priority, home } = was;
  const again = { body, tag, priority, home, expiresAt: 0, finishBy: 0 };
  const expected = refusal(session, 'input');
  const index = takeIn(session, answerOf(answer, id), again);
  fact((index === undefined) === (expected !== undefined), `the redrive was answered ${index}`);
  if (index === undefined) return;
  model.dead.input.delete(chosen.index);
  const { after } = (await world.record(chosen.index)) ?? {};
  const { redrivenAs } = readAfterwards(after);
  fact(redrivenAs === index, `the record of ${chosen.index} says ${redrivenAs}, not ${index}`);
}

type Answer<Value> = { readonly value: Value } | { readonly code: string };

function answerOf(
  answer: Answer<{ readonly index: number }>,
  id: string,
): Answer<{ readonly index: number; readonly id: string }> {
  return 'code' in answer ? answer : { value: { index: answer.value.index, id } };
}
