// New names for bodies, and the short hash that tells two of them apart.

import type { Random } from '../kernel/random.ts';

/** A new name for a body with this SHA-256 (hexadecimal); equal bodies are two files. */
export function newBodyName(random: Random, sha256: string): string {
  return `${random.secret(8)}-${sha256}`;
}

/** 32 bits of a SHA-256, never 0: what tells one body from another where a key is used again. */
export function shortHash(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 8), 16) || 1;
}
