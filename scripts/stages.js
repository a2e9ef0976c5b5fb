// The stages that checking and testing share: build, format and lint, types of the tests. Each
// answers whether it went well and names itself when it did not.

import { binOf, runNode } from './command.js';

const stages = {
  build: { title: 'build (tsc -b)', args: [binOf('typescript', 'bin/tsc'), '-b'] },
  lint: {
    title: 'format and lint (biome ci)',
    args: [binOf('@biomejs/biome', 'bin/biome'), 'ci', '--error-on-warnings'],
  },
  testTypes: {
    title: 'types of tests and benchmarks (tsc)',
    args: [binOf('typescript', 'bin/tsc'), '-p', 'tsconfig.test.json'],
  },
};

/** Runs one stage; false when it failed. */
export async function runStage(name) {
  const { title, args } = stages[name];
  const code = await runNode(args);
  if (code !== 0) console.error(`FAILED: ${title}`);
  return code === 0;
}
