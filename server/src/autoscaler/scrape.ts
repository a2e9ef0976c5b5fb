// Reads the metrics that an instance shows at /metrics: bounded in time and bytes, never rejects.

import { Client } from 'undici';
import type { Clock } from '../kernel/clock.ts';
import { sumsOf } from './metrics-text.ts';

export interface ScrapeLimits {
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** Engines with hundreds of metrics show some 100 KB, at once. */
export const scrapeLimits: ScrapeLimits = { timeoutMs: 2000, bytesMax: 4 * 2 ** 20 };

/** The sums by name; or why there are none, as the end of a sentence. */
export type Scraped = ReadonlyMap<string, number> | string;

export async function scrape(
  url: string,
  names: ReadonlySet<string>,
  { clock, signal, limits }: { clock: Clock; signal: AbortSignal; limits: ScrapeLimits },
): Promise<Scraped> {
  if (url === '') return 'its address is not known';
  const { origin } = new URL(url);
  const client = new Client(origin, { headersTimeout: 0, bodyTimeout: 0, pipelining: 0 });
  let isLate = false;
  const end = (): void => void client.destroy().catch(() => undefined);
  const timer = clock.after(limits.timeoutMs, () => {
    isLate = true;
    end();
  });
  signal.addEventListener('abort', end, { once: true });
  try {
    if (signal.aborted) return 'it was not asked';
    const headers = { 'user-agent': 'sluice-autoscaler', accept: 'text/plain' };
    const answer = await client.request({ method: 'GET', path: '/metrics', headers });
    if (answer.statusCode !== 200) {
      answer.body.on('error', () => undefined).destroy();
      return `GET /metrics answered ${answer.statusCode}`;
    }
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of answer.body) {
      const buffer = Buffer.from(piece);
      bytes += buffer.length;
      if (bytes > limits.bytesMax) return `its metrics are larger than ${limits.bytesMax} bytes`;
      pieces.push(buffer);
    }
    return sumsOf(Buffer.concat(pieces).toString(), names);
  } catch (error) {
    if (isLate) return `no metrics within ${limits.timeoutMs / 1000} s`;
    return error instanceof Error && error.message !== '' ? error.message : 'it cannot be reached';
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', end);
    await client.destroy().catch(() => undefined);
  }
}
