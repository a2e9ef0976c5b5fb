// Shows that the simulator finds mistakes: each planted one breaks a rule within the first seeds.
// Every run is a process of its own, in which one file of the product is changed as it is loaded.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Mutation, mutations } from './mutations.ts';

const root = new URL('../../../', import.meta.url);
const hooks = new URL('mutation-hooks.js', import.meta.url).href;
const seedsMax = 300;

describe('the simulator', () => {
  it.each(mutations)(
    'notices within 300 seeds a broker that $name',
    async (mutation) => {
      const { code, output } = await simulate(mutation);
      expect(output).toMatch(/^seed \d+: (rule \d+|InvariantError): /m);
      expect(code).toBe(1);
    },
    120_000,
  );
});

interface Ended {
  readonly code: number | string;
  readonly output: string;
}

/** Runs seeds on the changed product up to the first that breaks a rule. */
function simulate(mutation: Mutation): Promise<Ended> {
  const { file, find, replace } = mutation;
  const data = { url: new URL(file, root).href, find, replace };
  const registering = `import { register } from 'node:module';
    register(${JSON.stringify(hooks)}, { data: ${JSON.stringify(data)} });`;
  const imports = ['--import', `data:text/javascript,${encodeURIComponent(registering)}`];
  const program = fileURLToPath(new URL('main.ts', import.meta.url));
  const seeds = ['--seed', '1', '--seeds', String(seedsMax), '--steps', '600', '--first'];
  const args = ['--conditions=source', ...imports, '--import', 'tsx', program, ...seeds];
  const options = { cwd: fileURLToPath(root), timeout: 100_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: `${stdout}${stderr}` });
    });
  });
}
