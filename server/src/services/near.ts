// Which known name a misspelt one was meant to be.

/** The nearest of `known`; undefined when none is near. `gpu` is near `gpus`, `cuda` is not. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const plain = squash(name);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const other = squash(candidate);
    const allowed = allowedDistance(Math.max(plain.length, other.length));
    if (Math.abs(plain.length - other.length) > allowed) continue;
    const distance = editDistance(plain, other);
    if (distance > allowed || distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Spelling without capitals and joints: `workerThreads`, `worker-threads`, `worker_threads`. */
function squash(name: string): string {
  return name.toLowerCase().replaceAll(/[_\- ]/g, '');
}

function allowedDistance(length: number): number {
  if (length < 4) return 0;
  return length < 8 ? 1 : 2;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
