// How answers are encoded: chosen by `Accept`, written as protobuf or JSON. The raw form is a
// payload as it is and needs no codec.

import {
  encodeAttributes,
  encodeFrame,
  encodeFrameList,
  type Frame,
  frameToJson,
  PlatformError,
  requestIdTag,
  type Tags,
  tagsToJson,
} from '@sluice/sdk/wire';
import type { Message } from '../../broker/queues.ts';

export type Encoding = 'protobuf' | 'json';

/** The media types, as they stand in `Content-Type`. */
export const contentTypes: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/vnd.google.protobuf',
  json: 'application/json',
};

const byMediaType: ReadonlyMap<string, Encoding> = new Map([
  ['application/vnd.google.protobuf', 'protobuf'],
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
]);

/** The first encoding in `Accept` that we speak, JSON without one; throws 406 for others. */
export function encodingOf(accept: string | undefined): Encoding {
  if (accept === undefined || accept === '' || accept === '*/*') return 'json';
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';');
    const encoding = byMediaType.get(name.trim().toLowerCase());
    const refused = parameters.some((each) => /^\s*q=0(\.0*)?\s*$/i.test(each));
    if (encoding !== undefined && !refused) return encoding;
  }
  throw new PlatformError(
    'not_acceptable',
    `answers are ${contentTypes.protobuf} or ${contentTypes.json}, ` +
      'and the payload itself with _raw_=true',
  );
}

/** A message as clients see it; without its payload for `_index_only_`. */
export function frameOf(message: Message, payload: Uint8Array): Frame {
  const tags = new Map(message.tags);
  tags.set(requestIdTag, message.id);
  return { index: message.index, tags, data: payload, message: '' };
}

/** One message of a watch. */
export function encodeMessage(message: Message, payload: Uint8Array): Uint8Array {
  return encodeFrame(frameOf(message, payload));
}

/** A list of messages, in the order given. */
export function encodeMessages(messages: readonly Message[], encoding: Encoding): Uint8Array {
  const frames = messages.map((message) => frameOf(message, message.payload));
  if (encoding === 'protobuf') return encodeFrameList(frames);
  return Buffer.from(JSON.stringify(frames.map(frameToJson)));
}

/** Flat texts. */
export function encodeTexts(texts: Tags, encoding: Encoding): Uint8Array {
  if (encoding === 'protobuf') return encodeAttributes(texts);
  return Buffer.from(JSON.stringify(tagsToJson(texts)));
}
