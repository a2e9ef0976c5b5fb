// The JSON form of the EAS queue protocol: frames, lists of frames and attributes.

import { decodeBase64, encodeBase64 } from './base64.ts';
import type { Frame } from './data-frame.ts';
import { PlatformError } from './errors.ts';
import type { Tags } from './tags.ts';

export interface FrameJson {
  readonly index: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Standard base64 with padding. */
  readonly data: string;
  /** Only there when it is not empty. */
  readonly message?: string;
}

/** A list is a bare array of these. */
export function frameToJson(frame: Frame): FrameJson {
  const json = {
    index: frame.index,
    tags: tagsToJson(frame.tags),
    data: encodeBase64(frame.data),
  };
  return frame.message === '' ? json : { ...json, message: frame.message };
}

/** Checks what was parsed from JSON; throws `bad_request` when it is no frame. */
export function frameFromJson(value: unknown): Frame {
  if (!isRecord(value)) throw malformed('A frame is not an object.');
  const { index, data = '', message = '', tags = {} } = value;
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) {
    throw malformed('The index of a frame is not a whole number.');
  }
  if (typeof data !== 'string') throw malformed('The data of a frame is not base64 text.');
  if (typeof message !== 'string') throw malformed('The message of a frame is not text.');
  return { index, tags: tagsFromJson(tags), data: decodeBase64(data), message };
}

export function framesFromJson(value: unknown): Frame[] {
  if (!Array.isArray(value)) throw malformed('A list of frames is not an array.');
  return value.map(frameFromJson);
}

/** One flat object of texts: the form of tags and of attributes. */
export function tagsToJson(tags: Tags): Readonly<Record<string, string>> {
  // `fromEntries` defines properties, so that `__proto__` is a name like any other.
  return Object.fromEntries(tags);
}

export function tagsFromJson(value: unknown): Tags {
  if (!isRecord(value)) throw malformed('Tags are not an object.');
  const tags = new Map<string, string>();
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw malformed(`The value of ${name} is not text.`);
    tags.set(name, text);
  }
  return tags;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): PlatformError {
  return new PlatformError('bad_request', message);
}
