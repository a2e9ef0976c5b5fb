// Limits of what may be asked of a queue, the same on every protocol. Each refusal names the limit.

import { PlatformError, type Tags } from '@sluice/sdk/wire';
import type { GetRequest, PutRequest } from './queues.ts';

export const priorityMax: number = 2 ** 31 - 1;
export const tagsMax = 64;
/** Names and values of all tags of a message together, in characters. */
export const tagCharactersMax = 8_192;
export const idCharactersMax = 256;
export const pathCharactersMax = 2_048;
export const getLengthMax = 1_000;
export const contentTypeCharactersMax = 256;
/** Of the code and the reason with which a delivery ends. */
export const codeCharactersMax = 64;
export const reasonCharactersMax = 4_096;

/** Throws `bad_request` when a put is over one of the limits. */
export function checkPut(request: PutRequest): void {
  const { priority, id, path, contentType } = request;
  if (!Number.isInteger(priority) || priority < 0 || priority > priorityMax) {
    refuse(`the priority is a whole number from 0 to ${priorityMax}`);
  }
  checkTags(request.tags);
  checkId(id);
  if ((path?.length ?? 0) > pathCharactersMax) {
    refuse(`a request path has at most ${pathCharactersMax} characters`);
  }
  if ((contentType?.length ?? 0) > contentTypeCharactersMax) {
    refuse(`a content type has at most ${contentTypeCharactersMax} characters`);
  }
}

/** The content type of a result. Models say what they like: one that is too long is not kept,
 * because a completion is not refused for it. */
export function keptContentType(contentType: string | undefined): string | undefined {
  return (contentType?.length ?? 0) > contentTypeCharactersMax ? undefined : contentType;
}

/** What a get, a count or a watch asks for. */
export function checkFilter(filter: {
  readonly tags: Tags;
  readonly id: string | undefined;
}): void {
  checkTags(filter.tags);
  checkId(filter.id);
}

/** Throws `bad_request` when the code of an ended delivery is too long. */
export function checkCause(code: string): void {
  if (code.length > codeCharactersMax) {
    refuse(`the code of a delivery that ended has at most ${codeCharactersMax} characters`);
  }
}

/** Throws `bad_request` when a get is over one of the limits. */
export function checkGet(request: GetRequest): void {
  const { length, timeoutMs, from } = request;
  if (!Number.isInteger(length) || length < 1 || length > getLengthMax) {
    refuse(`a get asks for 1 to ${getLengthMax} messages`);
  }
  if (!Number.isFinite(timeoutMs)) refuse('the time-out of a get is a number of milliseconds');
  if (!Number.isSafeInteger(from) || from < -1) {
    refuse('the first index of a get is -1, 0 or the index of a message');
  }
  checkFilter(request);
}

function checkId(id: string | undefined): void {
  if (id !== undefined && (id.length === 0 || id.length > idCharactersMax)) {
    refuse(`a request id has 1 to ${idCharactersMax} characters`);
  }
}

function checkTags(tags: Tags): void {
  if (tags.size > tagsMax) refuse(`a message has at most ${tagsMax} tags`);
  let characters = 0;
  for (const [name, value] of tags) characters += name.length + value.length;
  if (characters > tagCharactersMax) {
    refuse(`the tags of a message have at most ${tagCharactersMax} characters together`);
  }
}

function refuse(text: string): never {
  throw new PlatformError('bad_request', text);
}
