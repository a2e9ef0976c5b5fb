// The text in which programs show their metrics to Prometheus: one sample a line, `name{labels}
// value [timestamp]` (https://prometheus.io/docs/instrumenting/exposition_formats/).

/** The sum of all samples of each name; names without a sample are missing. */
export function sumsOf(text: string, names: ReadonlySet<string>): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const name = /^[A-Za-z_:][A-Za-z0-9_:]*/.exec(line)?.[0];
    if (name === undefined || !names.has(name)) continue;
    const value = valueAfter(line.slice(name.length));
    if (value !== undefined) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}

/** Values of labels are quoted and may hold anything, a brace too. */
const sample = /^\s*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s*(\S+)(?:\s+-?\d+)?\s*$/;

/** undefined: no sample, or one without a number (NaN, which stands for nothing seen). */
function valueAfter(rest: string): number | undefined {
  const text = sample.exec(rest)?.[1];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
