// Files in the shapes that R, scikit-learn, Spark and KNIME write: every one answers what the
// script beside them (pmml-files/recompute.py) worked out without an evaluator of PMML.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { load } from './pmml-documents.ts';

const folder = new URL('pmml-files/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.pmml'))
  .map((name) => name.slice(0, -'.pmml'.length));

interface Case {
  readonly row: Readonly<Record<string, unknown>>;
  readonly answer: Readonly<Record<string, string | number | null>>;
}

it.each(names)('%s.pmml answers what was worked out for it', (name) => {
  const predict = load(readFileSync(new URL(`${name}.pmml`, folder), 'utf8'));
  const cases: readonly Case[] = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  expect(cases.length).toBeGreaterThan(0);
  for (const { row, answer } of cases) {
    const near = Object.entries(answer).map(([field, value]) => [
      field,
      typeof value === 'number' ? expect.closeTo(value, 9) : value,
    ]);
    expect(predict(row)).toMatchObject(Object.fromEntries(near));
  }
});
