// The findings of a run as a table for people and as a file for programs, each with what one must
// know to compare it: machine, Node, durability, rounds.

import { execFileSync } from 'node:child_process';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { type Figure, isMet, type Unit } from './figures.ts';
import { root, type Scale } from './world.ts';

/** Design section 9: durable means flushed to stable storage before the answer. */
const durability = 'lmdb, every answer after fdatasync';

const digits: Readonly<Record<Unit, number>> = {
  '/s': 0,
  ms: 2,
  us: 1,
  s: 2,
  bytes: 1,
  '': 3,
};

/** The table, line by line. */
export function tableOf(figures: readonly Figure[]): readonly string[] {
  if (figures.length === 0) return [];
  const rows = figures.map((each) => {
    const show = (value: number): string => value.toFixed(digits[each.unit]);
    const { min, median, max } = each.spread;
    const target =
      each.target === undefined
        ? ''
        : 'least' in each.target
          ? `>= ${each.target.least}`
          : `<= ${each.target.most}`;
    const met = isMet(each);
    const verdict = met === undefined ? '' : met ? 'met' : 'missed';
    return [each.name, show(median), each.unit, show(min), show(max), target, verdict];
  });
  const all = [['figure', 'median', '', 'min', 'max', 'target', ''], ...rows];
  return aligned(all, [0, 2, 6]);
}

/** Rows as lines, each column as wide as its widest cell; the columns named begin at their left. */
export function aligned(
  all: readonly (readonly string[])[],
  left: readonly number[],
): readonly string[] {
  const widths = (all[0] ?? []).map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return left.includes(at) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** The content of `--json`: medians by name, nested at the dots, and the spread of each. */
export function documentOf(figures: readonly Figure[], scale: Scale): string {
  const document: Record<string, unknown> = {};
  const spread: Record<string, unknown> = {};
  for (const { name, spread: values, unit } of figures) {
    const [first = name, second] = name.split('.');
    if (second === undefined) document[first] = values.median;
    else document[first] = { ...objectOf(document[first]), [second]: values.median };
    spread[name] = { ...values, unit };
  }
  return JSON.stringify({ ...document, spread, ...conditions(scale) }, null, 2);
}

/** One line on where the figures come from. */
export function headline(scale: Scale): string {
  const { machine, node, durability: how, commit } = conditions(scale);
  const memory = `${machine.memory_gb} GB`;
  return [
    `${machine.cores} x ${machine.processor}, ${memory}, ${machine.system}`,
    `Node ${node}, commit ${commit}, ${how}`,
    `${scale.rounds} rounds of ${scale.seconds} s, 1 KB messages`,
  ].join('\n');
}

/** What one must know to compare figures: machine, Node, commit, rounds, durability. */
export interface Conditions {
  readonly rounds: number;
  readonly round_s: number;
  readonly payload_bytes: number;
  readonly durability: string;
  readonly node: string;
  readonly commit: string;
  readonly measured_at: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memory_gb: number;
    readonly system: string;
  };
}

/** Those of this process and moment. */
export function conditions(scale: Scale): Conditions {
  return {
    rounds: scale.rounds,
    round_s: scale.seconds,
    payload_bytes: 1024,
    durability,
    node: process.version.slice(1),
    commit: commit(),
    measured_at: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()} ${arch()}`,
    },
  };
}

function commit(): string {
  try {
    const options = { cwd: root, encoding: 'utf8' } as const;
    return execFileSync('git', ['describe', '--always', '--dirty'], options).trim();
  } catch {
    // A packed copy of the sources has no history.
    return 'unknown';
  }
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
