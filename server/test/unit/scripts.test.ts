// What the scripts count: tests for the closing line of `npm test`, right characters for the demo.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { accuracy } from '../../../examples/ocr/accuracy.js';
import { countTests } from '../../../scripts/vitest.js';

describe('the closing line of npm test', () => {
  const test = (status: string) => ({ status, fullName: `a ${status} test` });
  const file = (status: string, ...tests: readonly string[]) => ({
    name: resolve('some.test.ts'),
    status,
    assertionResults: tests.map(test),
  });

  it('counts passed, failed and skipped tests, and names the failed and skipped ones', () => {
    const report = { testResults: [file('failed', 'passed', 'failed'), file('passed', 'pending')] };
    expect(countTests(report, 1)).toEqual({
      passed: 1,
      failed: 1,
      skipped: 1,
      skips: ['a pending test'],
      failures: ['some.test.ts > a failed test\n    no reason given'],
    });
  });

  it('counts a file that could not be loaded as a failure', () => {
    expect(countTests({ testResults: [file('failed')] }, 1)).toMatchObject({ failed: 1 });
  });

  it('counts an error outside of any test as a failure', () => {
    const report = { testResults: [file('passed', 'passed')] };
    expect(countTests(report, 1)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('fails when vitest wrote no report', () => {
    expect(countTests(undefined, 1)).toMatchObject({ passed: 0, failed: 1 });
  });
});

describe('the accuracy of a reading', () => {
  it('does not mind where lines break', () => {
    expect(accuracy('one two\nthree', ' one\ntwo  three\n')).toBe(1);
  });

  it('takes off each wrong, missing or added character', () => {
    expect(accuracy('abcdefghij', 'abXdefghij')).toBeCloseTo(0.9);
    expect(accuracy('abcdefghij', 'abcdefghi')).toBeCloseTo(0.9);
    expect(accuracy('abcdefghi', 'abcdefghij')).toBeCloseTo(0.9);
  });

  it('is 0 for nothing and 1 for two empty texts', () => {
    expect(accuracy('text', '')).toBe(0);
    expect(accuracy('', '')).toBe(1);
  });
});
