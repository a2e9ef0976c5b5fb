// Starts the threads that work on the table beside the main one, each a script of its own.

import { Worker } from 'node:worker_threads';

/** `script`: where it lies, without its ending. It finds the table's `folder` in its data. */
export function startThread(script: URL, folder: string): Worker {
  const workerData = { folder };
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL(`${script}.js`), { workerData });
  const options = { eval: true, workerData, execArgv: ['--conditions=source'] };
  return new Worker(fromSource(new URL(`${script}.ts`)), options);
}

// While developing there is no built script, and threads do not inherit what reads TypeScript.
function fromSource(script: URL): string {
  const tsx = import.meta.resolve('tsx/esm/api');
  return `import('${tsx}').then(({ register }) => { register(); return import('${script}'); })`;
}
