// Tags are free labels of a message. Inside Sluice they are a Map, because names come from outside
// and `__proto__` must be a name like any other. The request id is kept apart, as `id`.

export type Tags = ReadonlyMap<string, string>;

/** The tag under which the wire shows a message's request id. */
export const requestIdTag = 'requestId';

/** The tag that says where the body of a message is that is too large to be in it: a path of the
 * server, to be asked with the same token, or the address that its submitter gave. */
export const bodyAddressTag = 'sluiceBodyAddress';

/** The tag with the size of such a body in bytes, where that is known. */
export const bodySizeTag = 'sluiceBodySize';

export const noTags: Tags = new Map();
