// Asking before something is deleted: a person, a script, and nobody.

import { expect, test } from 'vitest';
import { confirm } from '../../src/cli/question.ts';
import { type CommandSurroundings, openSurroundings } from './cli-world.ts';

interface Asked extends CommandSurroundings {
  readonly answer: Promise<boolean>;
}

function ask(who: 'person' | 'script', usual: 'yes' | 'no' = 'yes'): Asked {
  const surroundings = openSurroundings({ terminal: who === 'person' });
  return { ...surroundings, answer: confirm(surroundings.context, 'Delete?', { usual }) };
}

test.each([
  ['y\n', true],
  ['YES\n', true],
  ['n\n', false],
  ['perhaps\n', false],
])('a person who types %j means %j', async (typed, expected) => {
  const asked = ask('person');
  asked.stdin.write(typed);
  expect(await asked.answer).toBe(expected);
  expect(asked.stderr()).toBe('Delete? [Y/n] ');
});

test('Enter alone means the usual answer, which the question shows', async () => {
  for (const usual of ['yes', 'no'] as const) {
    const asked = ask('person', usual);
    asked.stdin.write('\n');
    expect(await asked.answer).toBe(usual === 'yes');
    expect(asked.stderr()).toContain(usual === 'yes' ? '[Y/n]' : '[y/N]');
  }
});

test('a person who leaves means no, and one who interrupts gets no answer', async () => {
  const left = ask('person');
  left.stdin.end();
  expect(await left.answer).toBe(false);
  const interrupted = ask('person');
  interrupted.interrupt.abort();
  await expect(interrupted.answer).rejects.toThrow('interrupted');
});

test('a script answers through its input, also without an end of line', async () => {
  for (const text of ['y\n', 'Y', 'y\ny\ny\n']) {
    const asked = ask('script');
    asked.stdin.end(text);
    expect(await asked.answer).toBe(true);
  }
});

test('a script that answers nothing means no, at once or after 10 s', async () => {
  const empty = ask('script');
  empty.stdin.end();
  expect(await empty.answer).toBe(false);
  const blank = ask('script');
  blank.stdin.end('\n');
  expect(await blank.answer).toBe(false);
  const open = ask('script');
  await open.clock.advance(10_000);
  expect(await open.answer).toBe(false);
});
