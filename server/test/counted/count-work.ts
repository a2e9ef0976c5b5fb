// The work of the hot paths, counted in a process of its own, and what it may be: the counts of
// baseline.json and some room. A count above that is a regression, whatever machine it is found on.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Work } from './counted.ts';

/** By the name of the path. */
export type Counts = Readonly<Record<string, Work>>;

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const flags = [
  // What is compiled when depends on time, and compiled code allocates less.
  '--no-opt',
  // No collection in the middle of a count.
  ...['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'],
  ...['--conditions=source', '--import', 'tsx'],
];

/** How far above its baseline a count may be: a share of it, and a little for small counts. */
const room = {
  source: { share: 0.1, least: 0 },
  nativeCalls: { share: 0.1, least: 2 },
  nativeBytes: { share: 0.1, least: 512 },
  heapBytes: { share: 0.15, least: 512 },
} as const;

type Measure = keyof typeof room;

/** Counts now; takes about two seconds. */
export async function countWork(): Promise<Counts> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file('main.ts')]);
  return JSON.parse(stdout);
}

export function readBaseline(): Counts {
  return JSON.parse(readFileSync(file('baseline.json'), 'utf8'));
}

/** What is found now is what may be from now on. */
export function writeBaseline(counts: Counts): void {
  const whole = (_: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value) : value;
  writeFileSync(file('baseline.json'), `${JSON.stringify(counts, whole, 2)}\n`);
}

/** One line for each count that is above what it may be; with the folders that have grown. */
export function regressions(baseline: Counts, found: Counts): readonly string[] {
  return Object.entries(baseline).flatMap(([path, before]) => {
    const now = found[path];
    if (now === undefined) return [`${path}: not counted`];
    return (Object.keys(room) as Measure[]).flatMap((measure) => {
      const [was, is] = [sizeOfWork(before, measure), sizeOfWork(now, measure)];
      const { share, least } = room[measure];
      if (is <= was + Math.max(was * share, least)) return [];
      const grown = measure === 'source' ? grownFolders(before, now) : '';
      return [`${path}: ${measure} ${was.toFixed(0)} -> ${is.toFixed(0)}${grown}`];
    });
  });
}

function sizeOfWork(work: Work, measure: Measure): number {
  if (measure !== 'source') return work[measure];
  return Object.values(work.source).reduce((sum, each) => sum + each, 0);
}

function grownFolders(before: Work, now: Work): string {
  const grown = Object.entries(now.source).flatMap(([folder, is]) => {
    const more = is - (before.source[folder] ?? 0);
    return more > is * 0.05 ? [`${folder} +${more.toFixed(0)}`] : [];
  });
  return ` (${grown.join(', ')})`;
}
