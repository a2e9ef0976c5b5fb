// Which accelerators this machine has, asked of the maker's own tool once at the start, and how
// busy they are. Without the tool there are none, unless the operator says so.

import { execFile } from 'node:child_process';
import type { Clock } from '../../kernel/clock.ts';

/** A machine whose driver hangs is started without accelerators rather than not at all. */
const queryMs = 10_000;
/** The next look comes soon. */
const utilizationMs = 3000;

export interface QueryOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** Answers the indexes of the accelerators; never rejects. */
export type Accelerators = (options: QueryOptions) => Promise<readonly number[]>;

export const queryAccelerators: Accelerators = async (options) => {
  const listing = await ask('index,uuid', queryMs, options);
  return visibleDevices(listing, options.environment.CUDA_VISIBLE_DEVICES);
};

/** Percent of the last moments in which each accelerator was at work, by its index; those that are
 * not told are missing. Never rejects. */
export async function queryUtilization(
  options: QueryOptions,
): Promise<ReadonlyMap<number, number>> {
  const listing = await ask('index,utilization.gpu', utilizationMs, options);
  const found = new Map<number, number>();
  for (const line of listing.split('\n')) {
    const [, index, percent] = /^\s*(\d+)\s*,\s*(\d+)\s*%?\s*$/.exec(line) ?? [];
    if (index !== undefined) found.set(Number(index), Number(percent));
  }
  return found;
}

/** A line for each accelerator; empty when nobody answers. */
function ask(
  what: string,
  withinMs: number,
  { environment, clock }: QueryOptions,
): Promise<string> {
  const env = { PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin' };
  const end = new AbortController();
  const timer = clock.after(withinMs, () => end.abort());
  return new Promise((resolve) => {
    const query = [`--query-gpu=${what}`, '--format=csv,noheader'];
    const options = { env, signal: end.signal, killSignal: 'SIGKILL' as const };
    execFile('nvidia-smi', query, options, (error, stdout) => {
      timer.cancel();
      resolve(error === null ? stdout : '');
    });
  });
}

/**
 * The indexes that a listing names, a line each: "0, GPU-8f3c...". A server that is itself confined
 * to some of them, by index or by id, has only these to give.
 */
export function visibleDevices(listing: string, visible: string | undefined): readonly number[] {
  const all = listing.split('\n').flatMap((line) => {
    const [, index, id = ''] = /^\s*(\d+)\s*,\s*(\S*)/.exec(line) ?? [];
    return index === undefined ? [] : [{ index: Number(index), id }];
  });
  if (visible === undefined) return all.map(({ index }) => index);
  const indexes: number[] = [];
  for (const name of visible.split(',').map((part) => part.trim())) {
    const found = all.find(({ index, id }) =>
      /^\d+$/.test(name) ? index === Number(name) : name.length > 4 && id.startsWith(name),
    );
    // As the driver has it: nothing behind a name that means nothing is visible.
    if (found === undefined) break;
    if (!indexes.includes(found.index)) indexes.push(found.index);
  }
  return indexes;
}
