// What a run has found: for each peer and scenario the values of its rounds, or the reason why
// there are none. Ratios are Sluice against the peer, of the medians of the same run.

import { type Spread, spreadOf } from '../spread.ts';
import { sluiceName } from './peers.ts';

export type PeerUnit = '/s' | 'ms' | 's' | 'bytes';

export interface Sample {
  /** What was measured: `take`, `half-load/dispatch_p99`, `consumers/200`. */
  readonly scenario: string;
  readonly unit: PeerUnit;
  readonly value: number;
  /** Processor time for one message, in microseconds; undefined where it tells nothing. */
  readonly serverUs?: number | undefined;
  readonly clientUs?: number | undefined;
}

export interface Finding {
  readonly peer: string;
  readonly scenario: string;
  readonly unit: PeerUnit;
  readonly spread: Spread;
  readonly serverUs: number | undefined;
  readonly clientUs: number | undefined;
  /** Sluice / peer; undefined when either was not run. 1 for Sluice itself. */
  readonly ratio: number | undefined;
}

export interface Missing {
  readonly peer: string;
  readonly scenario: string;
  readonly reason: string;
}

/** Most of them say it at their first line; the rest is in the terminal. */
const reasonLengthMax = 160;

export class Findings {
  readonly #samples = new Map<string, { readonly peer: string; readonly all: Sample[] }>();
  readonly #missing = new Map<string, Missing>();

  add(peer: string, samples: readonly Sample[]): void {
    for (const sample of samples) {
      const key = `${sample.scenario} ${peer}`;
      const entry = this.#samples.get(key) ?? { peer, all: [] };
      entry.all.push(sample);
      this.#samples.set(key, entry);
    }
  }

  /** Nothing of this peer in this scenario counts, whatever was found before. */
  notRun(peer: string, scenario: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const [line = ''] = text.split('\n').filter((each) => each.trim() !== '');
    const reason = line.slice(0, reasonLengthMax);
    this.#missing.set(`${scenario} ${peer}`, { peer, scenario, reason });
  }

  /** In the order in which they were found first. */
  found(): readonly Finding[] {
    const medians = new Map<string, number>();
    const all = [...this.#samples.values()]
      .filter(({ peer, all: [first] }) => !this.#isMissing(peer, first?.scenario ?? ''))
      .map(({ peer, all: samples }) => {
        const [first] = samples;
        const { scenario = '', unit = '/s' } = first ?? {};
        const spread = spreadOf(samples.map(({ value }) => value));
        if (peer === sluiceName) medians.set(scenario, spread.median);
        const serverUs = middle(samples.map((sample) => sample.serverUs));
        const clientUs = middle(samples.map((sample) => sample.clientUs));
        return { peer, scenario, unit, spread, serverUs, clientUs };
      });
    return all.map((each) => {
      const own = medians.get(each.scenario);
      return { ...each, ratio: own === undefined ? undefined : own / each.spread.median };
    });
  }

  missing(): readonly Missing[] {
    return [...this.#missing.values()];
  }

  /** A scenario that is missing takes its parts along: `consumers` those of `consumers/200`. */
  #isMissing(peer: string, scenario: string): boolean {
    const [whole = ''] = scenario.split('/');
    return [scenario, whole].some((each) => this.#missing.has(`${each} ${peer}`));
  }
}

function middle(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : spreadOf(known).median;
}
