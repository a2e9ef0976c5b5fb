// The entry of the SDK.

export * from './admin.ts';
export * from './admin-types.ts';
export * from './base64.ts';
export * from './data-frame.ts';
export * from './errors.ts';
export * from './frame-json.ts';
export * from './tags.ts';
