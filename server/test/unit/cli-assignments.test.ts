// `-D path=value` on the command line.

import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { type Assignments, assigned, assignmentOption } from '../../src/cli/assignments.ts';

function parse(...args: string[]): Assignments {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  command.addOption(assignmentOption('set one field'));
  const { D = new Map() }: { readonly D?: Assignments } = command
    .parse(args, { from: 'user' })
    .opts();
  return D;
}

describe('-D', () => {
  test('is taken with and without a blank, several times, the last value of a field wins', () => {
    const given = parse(
      '-Dmetadata.instance=3',
      '-D',
      'a.b=x=y',
      '-Da.c=',
      '-Dmetadata.instance=4',
    );
    expect([...given]).toEqual([
      ['metadata.instance', '4'],
      ['a.b', 'x=y'],
      ['a.c', ''],
    ]);
  });

  test.each(['metadata.instance', '=3', 'a..b=1', '.a=1', 'a.=1'])('refuses %j', (text) => {
    expect(() => parse(`-D${text}`)).toThrow('such as metadata.instance=3');
  });
});

test('fields are laid over a block, with dots in brackets as part of a name', () => {
  const block = { min: 1, strategies: { qps: 10 }, behavior: 'none' };
  const given = parse(
    ...['-Dmin=0', '-Dstrategies.queue[avgbacklog]=2.5', '-Dstrategies.metric[a.b]=7'],
    ...['-Dbehavior.scaleDown.stabilizationWindowSeconds=60', '-Dstrategies.qps=null'],
  );
  expect(assigned(block, given)).toEqual({
    min: 0,
    strategies: { qps: null, 'queue[avgbacklog]': 2.5, 'metric[a.b]': 7 },
    behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
  });
  expect(block).toEqual({ min: 1, strategies: { qps: 10 }, behavior: 'none' });
});

test('a field of any name is a field of the block and nothing else', () => {
  const made = assigned({}, parse('-D__proto__.polluted=true', '-Dname=text'));
  expect(JSON.stringify(made)).toBe('{"__proto__":{"polluted":true},"name":"text"}');
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});
