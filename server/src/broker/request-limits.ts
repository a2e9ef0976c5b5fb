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

/** Throws `bad_request` when a put is over one of the limits. */
export function checkPut(request: PutRequest): void {
  const { priority, id, path, contentType } = request;
  if (!Number.isInteger(priority) || priority < 0 || priority > priorityMax) {
    refuse(`the priority is a whole number from 0 to ${priorityMax}`);
  }
  checkTags(request.tags);
  if (id !== undefined && (id.length === 0 || id.length > idCharactersMax)) {
    refuse(`a request id has 1 to ${idCharactersMax} characters`);
  }
  if ((path?.length ?? 0) > pathCharactersMax) {
    refuse(`a request path has at most ${pathCharactersMax} characters`);
  }
  if ((contentType?.length ?? 0) > 256) refuse('a content type has at most 256 characters');
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
  checkTags(request.tags);
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
