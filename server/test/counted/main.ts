// The program that counts the work of the hot paths and prints it as JSON. It is started by
// `count-work.ts`, with the flags that make its counts the same every time.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../tidy/sources.ts';
import { type Work, WorkCounter } from './counted.ts';
import { countNatives } from './natives.ts';

const times = 320;

// In this order: what counts comes before the code that is counted.
const counter = new WorkCounter(countNatives(), `${root}/`);
const { hotPaths } = await import('./hot-paths.ts');

const folder = mkdtempSync(join(tmpdir(), 'sluice-work-'));
const found: Record<string, Work> = {};
try {
  for (const [name, open] of Object.entries(hotPaths)) {
    const path = await open(mkdtempSync(join(folder, `${name}-`)));
    await path.run(times);
    found[name] = await counter.count(times, () => path.run(times));
    await path.close();
  }
} finally {
  counter.close();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${JSON.stringify(found)}\n`);
