// What the server shares with the SDK: wire types, codecs and error codes.

export * from './errors.ts';
export * from './tags.ts';
