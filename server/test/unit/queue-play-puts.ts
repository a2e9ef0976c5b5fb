// Plays puts on the broker and says what they mean to the model.

import type { Command } from './queue-commands.ts';
import { fact, type ModelMessage, type ModelQueueName } from './queue-model-state.ts';
import { putRequest, submitter } from './queue-requests.ts';
import type { Session } from './queue-session.ts';
import { serviceName } from './queue-world.ts';

/** Ids up to 7 come from the caller, each with one body, so that a second put is a repeated one. */
export async function put(
  session: Session,
  command: Extract<Command, { do: 'put' }>,
): Promise<void> {
  const { model } = session;
  const { settings } = model;
  const id = command.id <= 7 ? `id${command.id}` : undefined;
  const body = `p${command.id <= 7 ? command.id : 'x'}`;
  const home = command.isRecord && settings.declaresInstances ? 'record' : 'sink';
  const tag = ['', 'a', 'b'][command.tag] ?? '';
  const { priority } = command;
  const change = { id, priority, home, ...(tag === '' ? {} : { tags: { tag } }) } as const;
  const answer = await session.ask(session.world.queues.put('input', putRequest(body, change)));
  const first = id === undefined ? undefined : firstOf(session, id);
  if (settings.dedup && first !== undefined) {
    const { index, repeated } = 'value' in answer ? answer.value : { index: 0, repeated: false };
    fact(index === first && repeated, `put of ${id} answered ${index}, not the first, ${first}`);
    return;
  }
  takeIn(session, answer, { body, tag, priority, home, expiresAt: 0, finishBy: 0 });
}

/** The message of a put to the input that repeats nothing, if that was to be taken; answers its
 * index then. */
export function takeIn(
  session: Session,
  answer: { readonly value: { readonly index: number; readonly id: string } } | { code: string },
  message: Omit<ModelMessage, 'index' | 'id' | 'marks' | 'place'>,
): number | undefined {
  const { model } = session;
  const expected = refusal(session, 'input');
  const code = 'code' in answer ? answer.code : undefined;
  fact(code === expected, `put was answered ${code}, not ${expected}`);
  if ('code' in answer) return undefined;
  if (model.isFull('input')) {
    const evicted = model.evictable('input');
    if (evicted !== undefined) model.remove('input', evicted, 'dropped');
  }
  const { expireMs } = model.settings.source;
  const usual = expireMs === 0 ? 0 : session.now.wall + expireMs;
  const { index, id } = answer.value;
  model.insert('input', { ...message, index, id, expiresAt: message.expiresAt || usual });
  return index;
}

/** One that is put anew keeps its id, but repeats nothing. */
function firstOf(session: Session, id: string): number | undefined {
  const { input, rest } = session.model;
  const live = input.messages.filter((message) => message.id === id).map(({ index }) => index);
  const rested = [...rest].filter(([, one]) => one.id === id).map(([index]) => index);
  const all = [...live, ...rested];
  return all.length === 0 ? undefined : Math.min(...all);
}

export function refusal(session: Session, name: ModelQueueName): string | undefined {
  const { model } = session;
  if (model.queue(name).ended) return 'ended';
  if (!model.isFull(name)) return undefined;
  const { autoEvict } = name === 'input' ? model.settings.source : model.settings.sink;
  return autoEvict && model.evictable(name) !== undefined ? undefined : 'queue_full';
}

export async function sinkPut(session: Session): Promise<void> {
  const { model, world } = session;
  const expected = refusal(session, 'sink');
  const isExact = !model.settings.sink.autoEvict || model.sink.ended;
  const answer = await session.ask(world.queues.put('sink', putRequest('s', { by: submitter })));
  const code = 'code' in answer ? answer.code : undefined;
  fact(!isExact || code === expected, `sink put was answered ${code}, not ${expected}`);
  if ('code' in answer) return;
  const { index, id } = answer.value;
  insertResult(session, index, { id, tag: '' }, 's');
}

export async function resultPut(session: Session, nth: number): Promise<void> {
  const { model, world } = session;
  if (!model.settings.declaresInstances || model.sink.ended) return;
  const message = nthOf(
    model.input.messages.filter(({ place }) => place !== 'none'),
    nth,
  );
  // Of several of one id, which is there once more, it is hard to say which one is meant.
  const isAlone = ({ id }: { readonly id: string }): boolean =>
    [...model.rest.values(), ...model.input.messages].filter((one) => one.id === id).length === 1;
  const rest = nthOf([...model.rest.values()].filter(isAlone), nth);
  const id = message?.id ?? rest?.id;
  if (id === undefined) return;
  const by = { gid: serviceName, uid: 'w1' };
  const answer = await session.ask(world.queues.put('sink', putRequest('e', { id, by })));
  fact('value' in answer, `a result for ${id} was refused`);
  const { index } = answer.value;
  if (message?.place === 'held') {
    message.place = index;
    insertResult(session, index, { id, tag: '' }, 'e');
    return;
  }
  const first = message === undefined ? rest?.result : message.place;
  fact(index === first, `a second result of ${id} answered ${index}, not ${first}`);
}

export function insertResult(
  session: Session,
  index: number,
  of: Pick<ModelMessage, 'id' | 'tag'>,
  body: string,
): void {
  const { id, tag } = of;
  const plain = { priority: 0, home: 'sink', expiresAt: 0, finishBy: 0 } as const;
  session.model.insert('sink', { ...plain, index, id, tag, body });
}

export function nthOf<Item>(items: readonly Item[], nth: number): Item | undefined {
  return items.length === 0 ? undefined : items[nth % items.length];
}

export function nameOf(isSink: boolean): ModelQueueName {
  return isSink ? 'sink' : 'input';
}
