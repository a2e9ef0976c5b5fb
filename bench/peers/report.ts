// What a run beside other queues has found, as lines for people and as a file for programs.

import type { Figure } from '../figures.ts';
import { aligned, documentOf } from '../report.ts';
import type { Scale } from '../world.ts';
import type { Finding, Findings, PeerUnit } from './findings.ts';
import { verdictsOf } from './targets.ts';

const digits: Readonly<Record<PeerUnit, number>> = { '/s': 0, ms: 2, s: 2, bytes: 0 };

/** A value as people read it. */
export function shown(value: number, unit: PeerUnit): string {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits[unit],
    maximumFractionDigits: digits[unit],
  });
}

/** Sluice / peer with two or three digits. */
export function ratioShown(ratio: number | undefined): string {
  if (ratio === undefined) return '';
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toPrecision(2);
}

/** The table, what was not run, and the targets. */
export function linesOf(findings: Findings): readonly string[] {
  const found = findings.found();
  const rows = found.map((each) => [
    each.scenario,
    each.peer,
    shown(each.spread.median, each.unit),
    each.unit,
    shown(each.spread.min, each.unit),
    shown(each.spread.max, each.unit),
    ratioShown(each.ratio),
    each.serverUs?.toFixed(0) ?? '',
    each.clientUs?.toFixed(0) ?? '',
  ]);
  const head = ['scenario', 'queue', 'median', '', 'min', 'max', 'Sluice/queue'];
  const table = aligned([[...head, 'server us', 'client us'], ...rows], [0, 1, 3]);
  const missing = findings
    .missing()
    .map(({ scenario, peer, reason }) => `${scenario}, ${peer}: not run: ${reason}`);
  const goals = verdictsOf(findings).map(
    ({ what, wanted, value, isMet }) =>
      `target: ${what} ${wanted}: ${ratioShown(value) || 'not run'}, ${isMet ? 'met' : 'missed'}`,
  );
  return ['', ...table, ...missing, '', ...goals, ''];
}

export interface Found {
  readonly findings: Findings;
  readonly figures: readonly Figure[];
  readonly scale: Scale;
}

/** The file of `npm run bench` and `peers` beside it; a figure that was not run is null. */
export function jsonOf({ findings, figures, scale }: Found): string {
  const measured = findings.found().map((each) => ({
    name: each.peer,
    scenario: each.scenario,
    value: each.spread.median,
    ratio: each.ratio ?? null,
    ...rest(each),
  }));
  const missing = findings.missing().map(({ peer, scenario, reason }) => {
    return { name: peer, scenario, value: null, ratio: null, not_run: reason };
  });
  const goals = verdictsOf(findings).map(({ target, value, isMet }) => {
    return { ...target, value: value ?? null, met: isMet };
  });
  const document: object = JSON.parse(documentOf(figures, scale));
  const beside = { ...document, peers: [...measured, ...missing], peer_targets: goals };
  return JSON.stringify(beside, null, 2);
}

function rest({ unit, spread, serverUs, clientUs }: Finding): object {
  return {
    unit,
    min: spread.min,
    max: spread.max,
    ...(serverUs === undefined ? {} : { server_us: serverUs }),
    ...(clientUs === undefined ? {} : { client_us: clientUs }),
  };
}
