// The outcome of a run as a table for people and as a file for programs.

import type { Outcome } from './scenario.ts';

interface Column {
  readonly head: string;
  readonly read: (outcome: Outcome) => string;
  readonly isText?: boolean;
}

const columns: readonly Column[] = [
  { head: 'scenario', read: ({ name }) => name, isText: true },
  { head: 'kills', read: ({ kills }) => `${kills}` },
  { head: 'faults', read: ({ faults }) => `${faults}` },
  { head: 'accepted', read: ({ accepted }) => `${accepted}` },
  { head: 'results', read: ({ results }) => `${results}` },
  { head: 'waiting', read: ({ waiting }) => `${waiting}` },
  { head: 'dead', read: ({ dead }) => `${dead}` },
  { head: 'deleted', read: ({ deleted }) => `${deleted}` },
  { head: 'lost', read: ({ lost }) => `${lost}` },
  { head: 'duplicated', read: ({ duplicated }) => `${duplicated}` },
  { head: 's', read: ({ seconds }) => `${Math.round(seconds)}` },
  { head: '', read: verdictOf, isText: true },
];

/** Whether nothing happened that must not. */
export function isGood(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ problems }) => problems.length === 0);
}

/** One outcome in one line, as soon as it is known. */
export function lineOf({ name, kills, faults, accepted, seconds, ...rest }: Outcome): string {
  if (rest.notRun !== undefined) return `${name}: not run, ${rest.notRun}`;
  const faultText = faults > 0 ? `, ${faults} other faults` : '';
  const verdict = rest.problems.length === 0 ? 'ok' : 'FAILED';
  const time = `${Math.round(seconds)} s`;
  return `${name}: ${verdict}, ${kills} kills${faultText}, ${accepted} accepted, ${time}`;
}

/** The table, line by line, with a last line that adds everything up. */
export function tableOf(outcomes: readonly Outcome[]): readonly string[] {
  const ran = outcomes.filter(({ notRun }) => notRun === undefined);
  const rows = ran.map((outcome) => columns.map(({ read }) => read(outcome)));
  const sum = columns.map(({ read }) => read(sumOf(ran)));
  const all = [columns.map(({ head }) => head), ...rows, sum];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.isText === true ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
  const skipped = outcomes.flatMap(({ name, notRun }) =>
    notRun === undefined ? [] : [`${name}: not run, ${notRun}`],
  );
  const notes = outcomes.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
  const wrong = outcomes.flatMap(({ name, problems }) =>
    problems.map((problem) => `FAILED ${name}: ${problem}`),
  );
  return [...lines, ...skipped, ...notes, ...wrong];
}

/** The content of `--json`. */
export function documentOf(outcomes: readonly Outcome[]): string {
  const document = { ok: isGood(outcomes), total: sumOf(outcomes), scenarios: outcomes };
  return JSON.stringify(document, null, 2);
}

function verdictOf({ problems }: Outcome): string {
  return problems.length === 0 ? 'ok' : 'FAILED';
}

function sumOf(outcomes: readonly Outcome[]): Outcome {
  const sum = (read: (outcome: Outcome) => number): number =>
    outcomes.reduce((before, outcome) => before + read(outcome), 0);
  return {
    name: 'total',
    about: '',
    notRun: undefined,
    kills: sum(({ kills }) => kills),
    faults: sum(({ faults }) => faults),
    accepted: sum(({ accepted }) => accepted),
    results: sum(({ results }) => results),
    waiting: sum(({ waiting }) => waiting),
    dead: sum(({ dead }) => dead),
    deleted: sum(({ deleted }) => deleted),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    seconds: sum(({ seconds }) => seconds),
    problems: outcomes.flatMap(({ problems }) => problems),
    notes: [],
  };
}
