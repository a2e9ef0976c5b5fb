// What an apply would change, as people see it.

import type { ApplyAnswer, FieldChange } from '@sluice/sdk';
import { expect, test } from 'vitest';
import { differences, paint, tally } from '../../src/cli/differences.ts';

function answer(outcome: ApplyAnswer['outcome'], ...changes: FieldChange[]): ApplyAnswer {
  const rollsOut = changes.some(({ path }) => path.startsWith('containers'));
  const rest = { name: 'ocr', revision: 2, endpoint: '', token: '', warnings: [] };
  return { outcome, changes, rollsOut, ...rest };
}

const plain = { colour: false };

test('every field that comes, goes or changes has a line with its sign', () => {
  const changed = answer(
    'updated',
    { path: 'metadata.instance', before: 1, after: 3 },
    { path: 'metadata.cpu', before: null, after: 4 },
    { path: 'queue.max_idle', before: '30s', after: null },
    { path: 'token', before: '***', after: '***' },
  );
  expect(paint(differences(changed), plain)).toEqual([
    '~ ocr: change',
    '    ~ metadata.instance: 1 -> 3',
    '    + metadata.cpu: 4',
    '    - queue.max_idle: "30s"',
    '    ~ token: "***" -> "***"',
  ]);
  expect(paint(differences(answer('unchanged')), plain)).toEqual(['  ocr: unchanged']);
});

test('what comes or goes whole is shown field by field', () => {
  const created = answer(
    'created',
    { path: 'containers', before: null, after: [{ image: 'a:1', env: [] }] },
    { path: 'metadata', before: null, after: { name: 'ocr', rpc: { worker_threads: 2 } } },
  );
  expect(paint(differences(created), plain)).toEqual([
    '+ ocr: create',
    '    + containers[0].image: "a:1"',
    '    + containers[0].env: []',
    '    + metadata.name: "ocr"',
    '    + metadata.rpc.worker_threads: 2',
  ]);
  const gone = answer('updated', { path: 'queue', before: { max_delivery: 3 }, after: null });
  expect(paint(differences(gone), plain)).toContain('    - queue.max_delivery: 3');
});

test('long values stand below each other, on one line each, and say that instances change', () => {
  const [before, after] = ['old\n'.repeat(30), 'new\n'.repeat(30)];
  const lines = paint(
    differences(answer('updated', { path: 'containers[0].script', before, after })),
    plain,
  );
  expect(lines).toEqual([
    '~ ocr: change, its instances are replaced',
    '    ~ containers[0].script:',
    `        - ${JSON.stringify(before)}`,
    `        + ${JSON.stringify(after)}`,
  ]);
});

test('colours are put around lines, and only where they are wanted', () => {
  const changed = differences(answer('updated', { path: 'a', before: null, after: 1 }));
  expect(paint(changed, { colour: true })).toEqual([
    '\u001b[33m~ ocr: change\u001b[0m',
    '\u001b[32m    + a: 1\u001b[0m',
  ]);
  expect(paint(changed, plain).join('')).not.toContain('\u001b');
});

test('text of others can not steer the terminal', () => {
  const evil = differences(
    answer('updated', { path: 'a\u001b[2J', before: 'x', after: '\u009b1m' }),
  );
  const [, line] = paint(evil, plain);
  expect(line).toBe('    ~ a [2J: "x" -> " 1m"');
});

test('the sum counts services', () => {
  const answers = [answer('created'), answer('updated'), answer('updated'), answer('unchanged')];
  expect(tally(answers, 1)).toBe('1 to create, 2 to change, 1 to delete, 1 unchanged');
});
