// How long a mock model works on a request: a distribution, written as one word.
//   50ms                    always the same
//   uniform:20ms,200ms      between the two
//   exponential:100ms       with that mean
//   lognormal:100ms,0.8     median and sigma of the logarithm; p99 = median × e^(2.33 sigma)

import { parseDuration } from '../../config/duration.ts';
import type { Chance } from './chance.ts';

export type Latency =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'uniform'; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly medianMs: number; readonly sigma: number };

/** undefined when the text is no distribution. */
export function parseLatency(text: string): Latency | undefined {
  const [kind, parameters] = text.includes(':') ? text.split(':', 2) : ['fixed', text];
  const [first = '', second = ''] = (parameters ?? '').split(',');
  const ms = parseDuration(first);
  if (ms === undefined) return undefined;
  switch (kind) {
    case 'fixed':
      return { kind, ms };
    case 'uniform': {
      const toMs = parseDuration(second);
      return toMs === undefined || toMs < ms ? undefined : { kind, fromMs: ms, toMs };
    }
    case 'exponential':
      return { kind, meanMs: ms };
    case 'lognormal': {
      const sigma = Number(second);
      return second === '' || !(sigma >= 0) ? undefined : { kind, medianMs: ms, sigma };
    }
    default:
      return undefined;
  }
}

/** One draw, in milliseconds. */
export function draw(latency: Latency, chance: Chance): number {
  switch (latency.kind) {
    case 'fixed':
      return latency.ms;
    case 'uniform':
      return latency.fromMs + chance() * (latency.toMs - latency.fromMs);
    case 'exponential':
      return -Math.log(1 - chance()) * latency.meanMs;
    case 'lognormal':
      return latency.medianMs * Math.exp(latency.sigma * normal(chance));
  }
}

// Box and Muller: two even draws make one normal one.
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}
