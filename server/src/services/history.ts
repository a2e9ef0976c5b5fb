// The latest revisions of a service: what changed, how it came to be, and the file, so that one can
// go back to it. Bounded in number and in bytes; the oldest files go first.

/** Revisions that are remembered, and changed fields named for each. */
export const historyMax = 20;
const changedMax = 50;
/** Characters of all kept files together: a definition is written whole with each change. */
const filesLengthMax = 512 * 1024;

export interface Revision {
  readonly revision: number;
  /** The revision as which its instances were first launched. */
  readonly sourceRevision: number;
  /** Wall clock. */
  readonly at: number;
  /** Places of the fields that changed, `queue.max_delivery`. */
  readonly changed: readonly string[];
  /** How it came to be: `created`, `applied`, `switched back to 3`. */
  readonly text: string;
  /** The user's file; undefined: no longer kept, or it is that of the definition. */
  readonly file?: Readonly<Record<string, unknown>> | undefined;
  /** Why its launch was given up; undefined: it was not. */
  readonly failed?: string | undefined;
  /** An instance of its launch was ready once. */
  readonly proven?: boolean | undefined;
}

interface Revised {
  readonly file: Readonly<Record<string, unknown>>;
  readonly history: readonly Revision[];
}

/** The history of `before` with one more revision. */
export function withRevision(before: Revised, next: Revision): readonly Revision[] {
  const earlier = before.history.map((entry, at) =>
    at === before.history.length - 1 ? { ...entry, file: before.file } : entry,
  );
  const changed = next.changed.slice(0, changedMax);
  return bounded([...earlier, { ...next, changed }].slice(-historyMax));
}

/** The file of a revision; undefined: there is no such revision, or its file is gone. */
export function fileOf(
  { file, history }: Revised,
  revision: number,
): Readonly<Record<string, unknown>> | undefined {
  const at = history.findIndex((entry) => entry.revision === revision);
  return at >= 0 && at === history.length - 1 ? file : history[at]?.file;
}

/** The latest revision of another launch that was ready once and was never given up. */
export function lastProven(
  { file, history }: Revised,
  sourceRevision: number,
): Revision | undefined {
  return history.findLast(
    (entry) =>
      entry.sourceRevision !== sourceRevision &&
      entry.proven === true &&
      entry.failed === undefined &&
      fileOf({ file, history }, entry.revision) !== undefined,
  );
}

/** Whether an instance of the launch was ever ready. */
export function isProven(history: readonly Revision[], sourceRevision: number): boolean {
  return history.some((entry) => entry.sourceRevision === sourceRevision && entry.proven === true);
}

/** The history with something noted on every revision of a launch. */
export function withNote(
  history: readonly Revision[],
  sourceRevision: number,
  note: Pick<Revision, 'failed' | 'proven'>,
): readonly Revision[] {
  return history.map((entry) =>
    entry.sourceRevision === sourceRevision ? { ...entry, ...note } : entry,
  );
}

/** How a revision came to be that nobody asked for. */
export function rolledBackText(revision: number, reason: string): string {
  return `${rolledBack} revision ${revision}: ${reason}`;
}

/** Why the newest revision was rolled back, where it was. */
export function rollBackOf(history: readonly Revision[]): string | undefined {
  const text = history.at(-1)?.text;
  return text?.startsWith(rolledBack) === true ? text : undefined;
}

const rolledBack = 'rolled back to';

function bounded(history: readonly Revision[]): readonly Revision[] {
  let length = 0;
  const kept = history.toReversed().map((entry) => {
    if (entry.file === undefined) return entry;
    length += JSON.stringify(entry.file).length;
    if (length <= filesLengthMax) return entry;
    const { file: _, ...rest } = entry;
    return rest;
  });
  return kept.reverse();
}
