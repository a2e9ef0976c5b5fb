// The names of bodies: chance, so that two equal ones are two files, and the checksum of what is in
// it, so that anybody who has the file can tell whether it is still what it was. A name is the only
// thing from outside that ever becomes part of a path here, and only when it has this form.

import type { Random } from '../kernel/random.ts';

const form = /^[0-9a-f]{16}-([0-9a-f]{64})$/;

/** Whether a text is the name of a body. Everything else is refused before it meets the disk. */
export function isBodyName(text: string): boolean {
  return form.test(text);
}

/** A new name for a body with this SHA-256 (hexadecimal). */
export function newBodyName(random: Random, sha256: string): string {
  return `${random.secret(8)}-${sha256}`;
}

/** The SHA-256 that a name says, hexadecimal; empty when it is no name. */
export function sumOf(name: string): string {
  return form.exec(name)?.[1] ?? '';
}

/** 32 bits of a SHA-256, never 0: what tells one body from another where a key is used again. */
export function shortHash(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 8), 16) || 1;
}
