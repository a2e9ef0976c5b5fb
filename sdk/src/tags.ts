// Tags are free labels of a message. Inside Sluice they are a Map, because names come from outside
// and `__proto__` must be a name like any other. The request id is kept apart, as `id`.

export type Tags = ReadonlyMap<string, string>;

/** The tag under which the wire shows a message's request id. */
export const requestIdTag = 'requestId';

export const noTags: Tags = new Map();
