// The secrets that one service signs its callbacks with: made when first needed, kept in one file,
// rotated with an overlap in which old and new ones sign, so that receivers may change over in
// peace.

import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { readJson, writeJson } from './file.ts';
import { makeKeys, type SigningKeys } from './signing.ts';

export interface DatedKeys extends SigningKeys {
  /** Wall clock. */
  readonly createdAt: number;
  /** Wall clock until when they sign; 0 = until they are rotated. */
  readonly until: number;
}

/** Each set adds two signatures to a header. */
const keptMax = 4;
const format = 1;

const base64 = '[A-Za-z0-9+/]+={0,2}';
const stored = z.strictObject({
  format: z.literal(format),
  keys: z
    .array(
      z.strictObject({
        secret: z.string().regex(new RegExp(`^whsec_${base64}$`)),
        privateKey: z.string().regex(new RegExp(`^whsk_${base64}$`)),
        publicKey: z.string().regex(new RegExp(`^whpk_${base64}$`)),
        createdAt: z.number(),
        until: z.number(),
      }),
    )
    .min(1),
});

export interface KeyRingOptions {
  /** Of the service. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
}

export class KeyRing {
  readonly #options: KeyRingOptions;
  #keys: Promise<readonly DatedKeys[]> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** Those that sign now, the newest first; at least one. Rejects when the file can't be read or,
   * the first time, written. */
  async signing(): Promise<readonly DatedKeys[]> {
    this.#keys ??= this.#load();
    try {
      const { wall } = this.#options.clock.now();
      return (await this.#keys).filter(({ until }) => until === 0 || until > wall);
    } catch (error) {
      this.#keys = undefined;
      throw error;
    }
  }

  /** New secrets sign from now on, the ones before for `overlapMs` more; durable when it
   * resolves. */
  rotate(overlapMs: number): Promise<readonly DatedKeys[]> {
    const rotated = this.#turn.then(async () => {
      const before = await this.signing();
      const { wall } = this.#options.clock.now();
      const old = before.map((keys) => ({
        ...keys,
        until: keys.until === 0 ? wall + overlapMs : Math.min(keys.until, wall + overlapMs),
      }));
      const keys = [this.#make(), ...old].slice(0, keptMax);
      await this.#save(keys);
      this.#keys = Promise.resolve(keys);
      return this.signing();
    });
    this.#turn = rotated.catch(() => undefined);
    return rotated;
  }

  async #load(): Promise<readonly DatedKeys[]> {
    const known = await readJson(this.#path, stored);
    if (known !== undefined) return known.keys;
    const keys = [this.#make()];
    await this.#save(keys);
    return keys;
  }

  #make(): DatedKeys {
    const { clock, random } = this.#options;
    return { ...makeKeys(random), createdAt: clock.now().wall, until: 0 };
  }

  #save(keys: readonly DatedKeys[]): Promise<void> {
    return writeJson(this.#path, { format, keys });
  }

  get #path(): string {
    return join(this.#options.folder, 'keys.json');
  }
}
