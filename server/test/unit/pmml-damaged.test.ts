// Files with one thing wrong: whatever attribute is gone or says something else, whatever element
// is missing, a file is refused with the place named, or it answers rows. It never fails in any
// other way, and an answer holds nothing that JSON has no word for. What is not known is refused
// wherever it stands.

import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { InvalidValue } from '../../src/processors/pmml/invalid.ts';
import { ModelError } from '../../src/processors/processor.ts';
import { load } from './pmml-documents.ts';

const folder = new URL('pmml-files/', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.pmml'))
  .map((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    const cases = JSON.parse(readFileSync(new URL(name.replace('.pmml', '.json'), folder), 'utf8'));
    const body = text.indexOf('<DataDictionary');
    const places = (pattern: RegExp) =>
      [...text.matchAll(pattern)]
        .filter(({ index }) => index >= body)
        .map(({ index, 0: { length } }) => ({ start: index, end: index + length }));
    return {
      text,
      rows: cases.map(({ row }: { row: Record<string, unknown> }) => row),
      attributes: places(/ [\w-]+="[^"]*"/g),
      // Those without anything inside, and whole short ones.
      elements: places(/<(\w+)[^<>]*\/>|<(\w+)[^<>/]*>[^<]*<\/\2>/g),
    };
  });

const anyDamage = fc.record({
  file: fc.constantFrom(...files),
  at: fc.nat(),
  what: fc.constantFrom('element', 'attribute', '', 'x', '-1', '0', '1e9', '1e400', '0.5'),
});

type Damage = typeof anyDamage extends fc.Arbitrary<infer Each> ? Each : never;

function damaged({ file, at, what }: Damage): string {
  const { text } = file;
  const places = what === 'element' ? file.elements : file.attributes;
  const { start, end } = places[at % places.length] ?? { start: 0, end: 0 };
  if (what === 'element' || what === 'attribute') return text.slice(0, start) + text.slice(end);
  const equals = text.indexOf('"', start);
  return `${text.slice(0, equals)}"${what}"${text.slice(end)}`;
}

/** The error, if it is one that says what is wrong with the file or the row. */
function told<Answer>(run: () => Answer, kind: typeof ModelError | typeof InvalidValue) {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    expect(error.message).toMatch(/\S{3}/);
    return undefined;
  }
}

/** JSON would make null of what is no number, and pass over what is undefined. */
function finite(name: string, value: unknown): unknown {
  if (value === undefined || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new Error(`${name} is ${value}`);
  }
  return value;
}

it('refuses a damaged file by the place, or answers', async () => {
  await fc.assert(
    fc.property(anyDamage, (damage) => {
      const text = damaged(damage);
      const predict = told(() => load(text), ModelError);
      if (predict === undefined) return;
      for (const row of damage.file.rows) {
        const answer = told(() => predict(row), InvalidValue);
        if (answer !== undefined) expect(JSON.stringify(answer, finite)).toBeTypeOf('string');
      }
    }),
    { numRuns: 300 },
  );
});

/** What says nothing of the model, and fields from which nothing is computed. */
const besides = /^<(Header|Application|Extension)\b|usageType=/;

it('refuses attributes and elements that it does not know, wherever they stand', async () => {
  const anyPlace = fc.record({ file: fc.constantFrom(...files), at: fc.nat() });
  await fc.assert(
    fc.property(anyPlace, fc.boolean(), ({ file: { text }, at }, isAttribute) => {
      const tags = [...text.matchAll(/<\w+[^<>]*>/g)];
      const { index, 0: tag } = tags[at % tags.length] ?? { index: 0, 0: '' };
      // Derived fields that nothing refers to are passed over with all in them.
      const isDerived = /^<(DerivedField|FieldRef)\b/.test(tag) && text.includes('<TreeModel');
      fc.pre(!besides.test(tag) && !isDerived);
      const name = /\w+/.exec(tag)?.[0] ?? '';
      const changed = isAttribute
        ? tag.replace(name, `${name} unheardOf="1"`)
        : tag.replace(/\/?>$/, (end) =>
            end === '/>' ? `><UnheardOf/></${name}>` : '><UnheardOf/>',
          );
      const damagedText = text.slice(0, index) + changed + text.slice(index + tag.length);
      expect(() => load(damagedText)).toThrow(ModelError);
    }),
    { numRuns: 300 },
  );
});
