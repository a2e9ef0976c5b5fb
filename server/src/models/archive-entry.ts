// One entry of an archive as its reader tells of it, and what its name may be: a path that stays
// below the folder it is unpacked into, whatever system the archive was made on.

import { finalError } from './fetch-error.ts';

/** One entry of an archive, as it says it is. */
export interface ArchiveEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder';
  readonly size: number;
  /** Of a file; to be read to its end before the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Of one archive. */
export const entriesMax = 100_000;
const depthMax = 64;
const segmentBytesMax = 255;
const pathBytesMax = 2048;

/** The parts of a path that stays below its folder; none: the folder itself. */
export function pathOf(name: string): readonly string[] {
  const refuse = (what: string): never => {
    throw finalError(`its entry ${shownName(name)} ${what}`);
  };
  if (name.includes('\0')) refuse('has a zero byte in its name');
  if (name.includes('\\')) refuse('has a backslash in its name');
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) refuse('has an absolute path');
  if (Buffer.byteLength(name) > pathBytesMax) refuse('has too long a path');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) refuse('leads out of its folder');
  if (parts.length > depthMax) refuse(`lies more than ${depthMax} folders deep`);
  if (parts.some((part) => Buffer.byteLength(part) > segmentBytesMax))
    refuse('has too long a name');
  return parts;
}

/** A name for a message: short, and without what a terminal would act on. */
export function shownName(name: string): string {
  const plain = name.replaceAll(/\p{Cc}/gu, '?');
  return plain.length > 120 ? `"${plain.slice(0, 120)}..."` : `"${plain}"`;
}
