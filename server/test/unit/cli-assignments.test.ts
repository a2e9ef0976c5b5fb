// `-D path=value` on the command line.

import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { type Assignments, assignmentOption } from '../../src/cli/assignments.ts';

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
