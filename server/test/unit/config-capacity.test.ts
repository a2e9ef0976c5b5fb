// What an operator says his machine has.

import { expect, it } from 'vitest';
import { parseCapacity } from '../../src/config/capacity.ts';

it('takes cores, memory and accelerators, each or all', () => {
  expect(parseCapacity('cpu=8,memory=32G,gpu=2')).toEqual({
    ok: true,
    capacity: { cpuMillis: 8000, memoryBytes: 32 * 2 ** 30, gpus: 2 },
  });
  expect(parseCapacity('gpu=0')).toEqual({ ok: true, capacity: { gpus: 0 } });
  expect(parseCapacity(' cpu = 1.5 , memory=512MB')).toEqual({
    ok: true,
    capacity: { cpuMillis: 1500, memoryBytes: 512 * 2 ** 20 },
  });
  expect(parseCapacity('memory=1.5Gi')).toEqual({
    ok: true,
    capacity: { memoryBytes: 1.5 * 2 ** 30 },
  });
});

it.each([
  ['', 'is not NAME=AMOUNT'],
  ['8', 'is not NAME=AMOUNT'],
  ['cores=8', 'is none of cpu, memory and gpu'],
  ['cpu=0', 'a number of cores'],
  ['cpu=-1', 'a number of cores'],
  ['cpu=1e3', 'a number of cores'],
  ['cpu=many', 'a number of cores'],
  ['memory=32', 'with its unit'],
  ['memory=0G', 'with its unit'],
  ['memory=9999999T', 'with its unit'],
  ['gpu=1.5', 'a whole number'],
  ['gpu=100000', 'a whole number'],
  ['cpu=1,cpu=2', 'given twice'],
  ['cpu=1,,gpu=1', 'is not NAME=AMOUNT'],
])('refuses %j and says why', (text, problem) => {
  expect(parseCapacity(text)).toMatchObject({
    ok: false,
    problem: expect.stringContaining(problem),
  });
});
