// The levels of tests. Pure ones share threads without isolation, because nothing of theirs can
// leak; what starts processes, opens sockets or native code runs in a process of its own.

import { defineConfig } from 'vitest/config';
import { LongestFirst } from './server/test/longest-first.ts';

const sources = {
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
};

/** What else a level needs before its tests. */
const setups: Readonly<Record<string, readonly string[]>> = {
  integration: ['server/test/integration/checked-answers.ts'],
};

function project(name: string, include: string[], pool: 'threads' | 'forks', groupOrder: number) {
  const isolate = pool === 'forks';
  // No test is a measurement: these only end one that hangs.
  const timeouts = { testTimeout: 120_000, hookTimeout: 120_000 };
  return {
    ...sources,
    test: {
      name,
      include,
      pool,
      isolate,
      ...timeouts,
      // What is polled for comes; on a busy machine later than the second that vitest waits.
      expect: { poll: { timeout: 60_000 } },
      setupFiles: ['server/test/setup.ts', ...(setups[name] ?? [])],
      sequence: { groupOrder },
    },
  };
}

export default defineConfig({
  test: {
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      project('tidy', ['server/test/tidy/**/*.test.ts'], 'threads', 0),
      project('unit', ['server/test/unit/**/*.test.ts', 'sdk/test/**/*.test.ts'], 'threads', 0),
      project('simulation', ['server/test/simulation/**/*.test.ts'], 'threads', 1),
      project('conformance', ['server/test/conformance/**/*.test.ts'], 'forks', 1),
      project('integration', ['server/test/integration/**/*.test.ts'], 'forks', 2),
      project('hostile', ['server/test/hostile/**/*.test.ts'], 'forks', 2),
      project('browser', ['server/test/browser/**/*.test.ts'], 'forks', 2),
    ],
  },
});
