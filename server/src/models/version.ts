// Which version of a file an answer was, as its server says it; empty where it did not say.

export interface Version {
  readonly etag: string;
  readonly lastModified: string;
}

/** Of bytes that did not say. */
export const noVersion: Version = { etag: '', lastModified: '' };

/** Whether the server can be asked if that is still the newest one. */
export function isKnownVersion({ etag, lastModified }: Version): boolean {
  return etag !== '' || lastModified !== '';
}

/** Whether two answers were the same version, as far as they say. */
export function isSameVersion(one: Version, other: Version): boolean {
  if (one.etag !== '' || other.etag !== '') return one.etag === other.etag;
  return one.lastModified !== '' && one.lastModified === other.lastModified;
}
