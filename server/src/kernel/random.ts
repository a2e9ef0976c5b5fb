// The seam to chance. Only this file makes randomness and ids.

import { randomBytes, randomInt, randomUUID } from 'node:crypto';

export interface Random {
  /** At least 0, below 1. */
  fraction(): number;
  /** A whole number of 32 bits. */
  uint32(): number;
  /** A new random UUID, version 4. */
  id(): string;
  /** `bytes` bytes of secret randomness as lower-case hexadecimal. */
  secret(bytes: number): string;
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  uint32: () => randomInt(2 ** 32),
  id: () => randomUUID(),
  secret: (bytes) => randomBytes(bytes).toString('hex'),
};
