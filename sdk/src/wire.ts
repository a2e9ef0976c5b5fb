// What the server shares with the SDK: wire types, codecs and error codes.

export * from './admin-change-types.ts';
export * from './admin-types.ts';
export * from './base64.ts';
export { ByteReader, ByteWriter } from './bytes.ts';
export * from './data-frame.ts';
export * from './errors.ts';
export * from './event-types.ts';
export * from './frame-json.ts';
export * from './number-table.ts';
export * from './payload-limit.ts';
export * from './requests/callback-info.ts';
export * from './requests/request-info.ts';
export * from './stream/assembler.ts';
export * from './stream/codec.ts';
export { noBytes } from './stream/fields.ts';
export * from './stream/limits.ts';
export * from './stream/membership.ts';
export * from './stream/notes.ts';
export * from './stream/operations.ts';
export * from './stream/outbox.ts';
export * from './stream/request-operations.ts';
export * from './tags.ts';
