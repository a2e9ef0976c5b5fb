// Runs vitest and counts what it says: every test exactly once, and a file that could not even be
// loaded, or an error outside of any test, as one failure. In CI only what failed is printed:
// models and programs that tests let fail on purpose write errors of their own, and bury the one
// that counts.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { binOf, root, runNode } from './command.js';

/**
 * Runs `vitest run` with these arguments and answers
 * `{ passed, failed, skipped, skips, failures }`: what a test writes is shown when it fails.
 */
export async function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-vitest-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const calm = ['--silent=passed-only', '--slowTestThreshold=5000'];
    const program = [binOf('vitest', 'vitest.mjs'), 'run', ...calm, ...reporters, ...args];
    const isCi = process.env.CI === 'true';
    const code = await (isCi ? runUnseen(program, folder) : runNode(program));
    return countTests(readReport(report), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program and shows the end of what it wrote only if it fails. */
async function runUnseen(program, folder) {
  const file = join(folder, 'output');
  const output = openSync(file, 'w');
  const seconds = () => Math.round(performance.now() / 1000);
  const beat = setInterval(() => console.log(`... testing, ${seconds()} s`), 60_000);
  try {
    const code = await runNode(program, { stdio: ['ignore', output, output] });
    if (code !== 0) console.log(readFileSync(file, 'utf8').split('\n').slice(-60).join('\n'));
    return code;
  } finally {
    clearInterval(beat);
    closeSync(output);
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // vitest ended before it could write: the exit code counts.
  }
}

/** Adds up a report of vitest (undefined: it wrote none) and its exit code. */
export function countTests(report, code) {
  const totals = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
  for (const file of report?.testResults ?? []) {
    const before = totals.failed;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') totals.passed += 1;
      else if (test.status === 'failed') {
        totals.failed += 1;
        totals.failures.push(failure(file, test.fullName, test.failureMessages?.[0]));
      } else {
        totals.skipped += 1;
        totals.skips.push(test.fullName);
      }
    }
    if (file.status === 'failed' && totals.failed === before) {
      totals.failed += 1;
      totals.failures.push(failure(file, 'the file itself', file.message));
    }
  }
  if (code !== 0 && totals.failed === 0) {
    totals.failed = 1;
    totals.failures.push(`vitest ended with ${code}, though no test of its report failed`);
  }
  return totals;
}

/** A failed test in one line and the first lines of why, for the end of the output. */
function failure(file, test, message) {
  const why = (message ?? 'no reason given').split('\n').slice(0, 12);
  return [`${relative(root, file.name ?? '')} > ${test}`, ...why].join('\n    ');
}
