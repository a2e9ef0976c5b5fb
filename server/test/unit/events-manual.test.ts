// The manual names the words for what happens; each of them is a word of the program.

import { readFileSync } from 'node:fs';
import { eventKinds } from '@sluice/sdk/wire';
import { expect, test } from 'vitest';
import { codeFiles } from '../tidy/sources.ts';

test('every kind of event and every word for what happens stands in the sources', () => {
  const manual = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  const rows = manual.split('\n').filter((line) => /^\| `\w+` \| .* \| `/.test(line));
  const kinds = rows.map((row) => /`(\w+)`/.exec(row)?.[1]);
  expect(kinds).toEqual([...eventKinds]);
  const words = rows.flatMap((row) => [...(row.split(' | ')[2] ?? '').matchAll(/`([\w-]+)`/g)]);
  const sources = codeFiles('server/src')
    .map(({ text }) => text)
    .join('\n');
  const unknown = words.map(([, word]) => word).filter((word) => !sources.includes(`'${word}'`));
  expect(words.length).toBeGreaterThan(25);
  expect(unknown).toEqual([]);
});
