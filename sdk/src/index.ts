// The entry of the SDK.

export * from './errors.ts';
export * from './tags.ts';
