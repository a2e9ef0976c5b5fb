// Plays the simulator on a product with one planted mistake, in a process of its own, in which one
// file of the product is changed as it is loaded.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Mutation } from './mutations.ts';

const root = new URL('../../../', import.meta.url);
const hooks = new URL('mutation-hooks.js', import.meta.url).href;

/** Seeds in which a mistake has to be noticed. */
export const seedsMax = 300;

/** Whether what a run said is that a rule was broken. */
export const noticed: RegExp = /^seed \d+: (rule \d+|InvariantError): /m;

export interface Ended {
  readonly code: number | string;
  readonly output: string;
}

/** Runs seeds from `from` on with the changed product, up to the first that breaks a rule. */
export function simulate(mutation: Mutation, from: number): Promise<Ended> {
  const { file, find, replace } = mutation;
  const data = { url: new URL(file, root).href, find, replace };
  const registering = `import { register } from 'node:module';
    register(${JSON.stringify(hooks)}, { data: ${JSON.stringify(data)} });`;
  const imports = ['--import', `data:text/javascript,${encodeURIComponent(registering)}`];
  const program = fileURLToPath(new URL('main.ts', import.meta.url));
  const seeds = ['--seed', String(from), '--seeds', String(seedsMax), '--steps', '600', '--first'];
  const args = ['--conditions=source', ...imports, '--import', 'tsx', program, ...seeds];
  const options = { cwd: fileURLToPath(root), timeout: 100_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: `${stdout}${stderr}` });
    });
  });
}
