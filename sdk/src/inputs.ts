// How what callers pass becomes what is sent: payloads as bytes, tags as a map, one index or many.

import { PlatformError } from './errors.ts';
import type { Payload, PutAnswer, PutItem, TagsInput } from './queue-client.ts';
import { headCharactersMax } from './stream/limits.ts';
import { noTags, requestIdTag, type Tags } from './tags.ts';

const encoder = new TextEncoder();
const indexesMax = 65_536;

/** The bytes that are sent for a payload. */
export function bytesOf(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? encoder.encode(payload) : payload;
}

/** Tags without the request id, and the id that was given, apart or as its tag. */
export function labelsOf(input: {
  readonly tags?: TagsInput | undefined;
  readonly id?: string | undefined;
}): { readonly tags: Tags; readonly id: string | undefined } {
  const { tags: given, id } = input;
  if (given === undefined) return { tags: noTags, id };
  const tags = new Map(given instanceof Map ? given : Object.entries(given));
  const tagId = tags.get(requestIdTag);
  tags.delete(requestIdTag);
  return { tags, id: id ?? tagId };
}

/** Refuses what would not fit beside a payload in one message; throws `too_large`. */
export function checkHead(tags: Tags, ...texts: readonly (string | undefined)[]): void {
  let characters = 0;
  for (const text of texts) characters += text?.length ?? 0;
  for (const [name, value] of tags) characters += name.length + value.length;
  if (characters <= headCharactersMax) return;
  throw new PlatformError(
    'too_large',
    `Tags and texts have ${characters} characters, at most ${headCharactersMax} are allowed.`,
  );
}

/** A list of checked indexes; throws `bad_request`. */
export function indexesOf(indexes: number | readonly number[]): readonly number[] {
  const list = typeof indexes === 'number' ? [indexes] : indexes;
  if (list.length > indexesMax) {
    throw new PlatformError('bad_request', `At most ${indexesMax} indexes go into one call.`);
  }
  for (const index of list) checkIndex(index, 0);
  return list;
}

/** Throws `bad_request` for anything but a whole number from `least`. */
export function checkIndex(index: number, least: number): void {
  checkWhole('An index', index, least);
}

/** Throws `bad_request` for anything but a whole number from `least`; `what` names it. */
export function checkWhole(what: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new PlatformError('bad_request', `${what} is a whole number from ${least}, not ${value}.`);
}

/** Puts item after item with at most `concurrency` under way; answers in order. */
export async function putAll(
  items: Iterable<PutItem> | AsyncIterable<PutItem>,
  put: (item: PutItem) => Promise<PutAnswer>,
  concurrency: number,
): Promise<PutAnswer[]> {
  const answers: PutAnswer[] = [];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let at = 0;
  for await (const item of items) {
    const place = at++;
    const task = put(item).then(
      (answer) => {
        answers[place] = answer;
      },
      (error: unknown) => {
        failures.push(error);
      },
    );
    running.add(task);
    void task.then(() => running.delete(task));
    if (running.size >= concurrency) await Promise.race(running);
    if (failures.length > 0) break;
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return answers;
}
