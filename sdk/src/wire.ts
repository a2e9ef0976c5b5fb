// What the server shares with the SDK: wire types, codecs and error codes.

export * from './admin-types.ts';
export * from './base64.ts';
export * from './data-frame.ts';
export * from './errors.ts';
export * from './frame-json.ts';
export * from './tags.ts';
