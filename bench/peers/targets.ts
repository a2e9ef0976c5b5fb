// What Sluice should reach beside other queues, and in what it should hold its own. A target whose
// figures were not run is missed.

import type { Finding, Findings } from './findings.ts';
import { sluiceName } from './peers.ts';

interface Compared {
  readonly scenario: string;
  /** Another queue in the same scenario, or a scenario of Sluice with less to do. */
  readonly to: { readonly peer: string } | { readonly scenario: string };
  /** The least ratio. */
  readonly least: number;
}

interface Bounded {
  readonly scenario: string;
  /** In the unit of the scenario. */
  readonly most: number;
}

export type PeerTarget = Compared | Bounded;

export const targets: readonly PeerTarget[] = [
  { scenario: 'take', to: { peer: 'bullmq-always' }, least: 4 },
  { scenario: 'take', to: { peer: 'jetstream-always' }, least: 10 },
  { scenario: 'take', to: { peer: 'redis-streams-always' }, least: 1 },
  { scenario: 'half-load/dispatch_p50', most: 2 },
  { scenario: 'half-load/dispatch_p99', most: 8 },
  { scenario: 'consumers/1000', to: { scenario: 'consumers/1' }, least: 0.8 },
  { scenario: 'backlog/1000000', to: { scenario: 'backlog/10000' }, least: 0.8 },
];

export interface Verdict {
  readonly target: PeerTarget;
  /** What is compared, in words. */
  readonly what: string;
  /** What is wanted: `>= 4`. */
  readonly wanted: string;
  /** A ratio, or a value in the unit of the scenario; undefined: it was not run. */
  readonly value: number | undefined;
  readonly isMet: boolean;
}

/** How each target came out, in their order. */
export function verdictsOf(findings: Findings): readonly Verdict[] {
  const found = findings.found();
  const own = (scenario: string): Finding | undefined =>
    found.find((each) => each.peer === sluiceName && each.scenario === scenario);
  return targets.map((target) => {
    const { scenario } = target;
    const value = own(scenario)?.spread.median;
    if ('most' in target) {
      const isMet = value !== undefined && value <= target.most;
      return { target, what: `\`${scenario}\``, wanted: `<= ${target.most}`, value, isMet };
    }
    const { to, least } = target;
    const other = 'peer' in to ? find(found, scenario, to.peer) : own(to.scenario);
    const base = other?.spread.median;
    const ratio = value === undefined || base === undefined ? undefined : value / base;
    const against = 'peer' in to ? to.peer : `\`${to.scenario}\``;
    const what = `\`${scenario}\` against ${against}`;
    const isMet = ratio !== undefined && ratio >= least;
    return { target, what, wanted: `>= ${least}`, value: ratio, isMet };
  });
}

function find(found: readonly Finding[], scenario: string, peer: string): Finding | undefined {
  return found.find((each) => each.peer === peer && each.scenario === scenario);
}
