// What a command has shown of followed logs, so that after a cut it goes on where it was: lines
// have no numbers, so the last ones are looked for in what the logs end with.

import type { LogLine } from '@sluice/sdk';

/** So many lines from the end of each log are asked for after a cut. */
export const caughtUpLines = 1000;

/** So many shown lines are known of each log: several may be alike. */
const trailLines = 20;

export class ShownLogs {
  readonly #trails = new Map<string, readonly string[]>();
  /** Lines at the beginning of what is followed next that are no news. */
  readonly #known = new Map<string, number>();

  /** Whether a line that was followed is to be shown. */
  isNew({ instance, line }: LogLine): boolean {
    const known = this.#known.get(instance) ?? 0;
    if (known > 0) this.#known.set(instance, known - 1);
    else this.#note(instance, [line]);
    return known === 0;
  }

  /**
   * Takes the ends of all logs after a cut and answers what of them is to be shown. What is then
   * followed has to begin with `caughtUpLines` of each log: those in `ends` are passed over.
   */
  caughtUp(ends: readonly LogLine[]): readonly LogLine[] {
    const logs = new Map<string, string[]>();
    for (const { instance, line } of ends) {
      const lines = logs.get(instance) ?? [];
      logs.set(instance, lines);
      lines.push(line);
    }
    this.#known.clear();
    return [...logs].flatMap(([instance, lines]) => {
      const news = after(lines, this.#trails.get(instance) ?? []);
      this.#known.set(instance, lines.length);
      this.#note(instance, news);
      return news.map((line) => ({ instance, line }));
    });
  }

  #note(instance: string, lines: readonly string[]): void {
    const before = this.#trails.get(instance) ?? [];
    this.#trails.set(instance, [...before, ...lines].slice(-trailLines));
  }
}

/** What comes after the last place where `trail` stands, or its end where the lines begin in it;
 * all lines when it is nowhere. The last shown line may have been cut in its middle: then it comes
 * again, whole. */
function after(lines: readonly string[], trail: readonly string[]): readonly string[] {
  const last = trail.at(-1);
  if (last === undefined) return lines;
  const before = trail.slice(0, -1);
  const isHere = (end: number): boolean =>
    lines[end]?.startsWith(last) === true &&
    before.every((line, at) => {
      const place = end - before.length + at;
      return place < 0 || lines[place] === line;
    });
  for (let end = lines.length - 1; end >= 0; end -= 1) {
    if (isHere(end)) return lines.slice(lines[end] === last ? end + 1 : end);
  }
  return lines;
}
