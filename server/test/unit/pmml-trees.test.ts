// Trees: predicates, and what happens where a value is missing or no child fits. The tree asks for
// the weather first, then for the wind:
//
//   root 100 records: stay 60, go 40
//     sun 60: stay 15, go 45 ── calm (wind < 20) 40: stay 4, go 36
//                            └─ windy (wind >= 20) 20: stay 11, go 9
//     rain 40: stay 34, go 6

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

type Given = Readonly<Record<string, unknown>>;

const output =
  '<Output><OutputField name="id" feature="entityId"/>' +
  '<OutputField name="p" feature="probability" value="go"/>' +
  '<OutputField name="c" feature="confidence" value="go"/></Output>';

function node(
  attributes: string,
  predicate: string,
  counts: readonly [number, number],
  inner = '',
) {
  const [stay, go] = counts;
  return (
    `<Node ${attributes} recordCount="${stay + go}">${predicate}` +
    `<ScoreDistribution value="stay" recordCount="${stay}"/>` +
    `<ScoreDistribution value="go" recordCount="${go}"/>${inner}</Node>`
  );
}

const wind = (operator: string): string =>
  `<SimplePredicate field="wind" operator="${operator}" value="20"/>`;
const weather = (value: string): string =>
  `<SimplePredicate field="weather" operator="equal" value="${value}"/>`;

const root = node(
  'id="root" score="stay" defaultChild="sun"',
  '<True/>',
  [60, 40],
  node(
    'id="sun" score="go" defaultChild="windy"',
    weather('sun'),
    [15, 45],
    node('id="calm" score="go"', wind('lessThan'), [4, 36]) +
      node('id="windy" score="stay"', wind('greaterOrEqual'), [11, 9]),
  ) + node('id="rain" score="stay"', weather('rain'), [34, 6]),
);

function weekend(attributes: string, tree = root): (row: Given) => Given {
  return load(
    pmml(
      ['weather:string', 'wind:double', 'plan:string(stay,go)'],
      `<TreeModel functionName="classification" ${attributes}>` +
        `${schema('weather', 'wind', 'plan!')}${output}${tree}</TreeModel>`,
    ),
  );
}

describe('missing values', () => {
  it('do not matter where nothing asks for them', () => {
    const score = weekend('');
    expect(score({ weather: 'rain' })).toEqual({ plan: 'stay', id: 'rain', p: 0.15, c: 0.15 });
    expect(score({ weather: 'sun', wind: 10 })).toEqual({ plan: 'go', id: 'calm', p: 0.9, c: 0.9 });
  });

  it('fit no child, so that there is no prediction, or that of the node', () => {
    const nothing = { plan: null, id: null, p: null, c: null };
    expect(weekend('')({ weather: 'sun' })).toEqual(nothing);
    const last = weekend('noTrueChildStrategy="returnLastPrediction"');
    expect(last({ weather: 'sun' })).toEqual({ plan: 'go', id: 'sun', p: 0.75, c: 0.75 });
    expect(last({ weather: 'snow' })).toMatchObject({ plan: 'stay', id: 'root' });
  });

  it('end the walk, with nothing or with the last node', () => {
    const last = weekend('missingValueStrategy="lastPrediction"');
    expect(last({ weather: 'sun' })).toMatchObject({ id: 'sun', p: 0.75 });
    expect(last({})).toMatchObject({ id: 'root', p: 0.4 });
    // No child fits, but nothing is missing.
    expect(last({ weather: 'snow' })).toMatchObject({ id: null });
    const none = weekend(
      'missingValueStrategy="nullPrediction" noTrueChildStrategy="returnLastPrediction"',
    );
    expect(none({ weather: 'sun' })).toMatchObject({ plan: null, id: null });
    expect(none({ weather: 'snow' })).toMatchObject({ id: 'root' });
  });

  it('go to the default child, each for its penalty', () => {
    const attributes = 'missingValueStrategy="defaultChild" missingValuePenalty="0.8"';
    const score = weekend(attributes);
    expect(score({ weather: 'sun' })).toEqual({
      plan: 'stay',
      id: 'windy',
      p: 0.45,
      c: expect.closeTo(0.45 * 0.8, 15),
    });
    expect(score({})).toMatchObject({ id: 'windy', c: expect.closeTo(0.45 * 0.8 * 0.8, 15) });
    expect(score({ weather: 'sun', wind: 5 })).toMatchObject({ id: 'calm', c: 0.9 });
  });

  it('weigh the branches by their records', () => {
    const weighted = weekend('missingValueStrategy="weightedConfidence"');
    // calm 40 of 60: 0.9, windy 20 of 60: 0.45; together 0.6 + 0.15
    expect(weighted({ weather: 'sun' })).toEqual({
      plan: 'go',
      id: null,
      p: expect.closeTo(0.75, 15),
      c: expect.closeTo(0.75, 15),
    });
    // sun 60 of 100 is calm: 0.9; rain 40 of 100: 0.15; together 0.54 + 0.06
    expect(weighted({ wind: 5 })).toMatchObject({ plan: 'go', c: expect.closeTo(0.6, 15) });
    // Both unknown: 36 + 9 + 6 of 100
    const nodes = weekend('missingValueStrategy="aggregateNodes"');
    expect(nodes({})).toMatchObject({ plan: 'go', p: expect.closeTo(0.51, 15) });
    expect(nodes({ weather: 'rain' })).toMatchObject({ plan: 'stay', id: 'rain' });
  });
});

describe('predicates', () => {
  const isTrue = (predicate: string, row: Given): boolean | null => {
    const tree =
      `<Node score="no"><True/><Node score="yes">${predicate}</Node></Node>` +
      '<!-- a comment is nothing -->';
    const score = load(
      pmml(
        ['n:integer', 's:string(low,mid,high)', 'b:boolean', 'answer:string'],
        '<TreeModel functionName="classification" missingValueStrategy="nullPrediction" ' +
          'noTrueChildStrategy="returnLastPrediction"><MiningSchema>' +
          '<MiningField name="n" optype="ordinal"/>' +
          '<MiningField name="s" optype="ordinal"/><MiningField name="b"/>' +
          `<MiningField name="answer" usageType="target"/></MiningSchema>${tree}</TreeModel>`,
      ),
    );
    const { answer } = score(row);
    return answer === null ? null : answer === 'yes';
  };
  const simple = (field: string, operator: string, value = ''): string =>
    `<SimplePredicate field="${field}" operator="${operator}"` +
    `${value === '' ? '' : ` value="${value}"`}/>`;
  const compound = (operator: string, ...inside: readonly string[]): string =>
    `<CompoundPredicate booleanOperator="${operator}">${inside.join('')}</CompoundPredicate>`;

  it.each([
    ['equal', [false, true, false]],
    ['notEqual', [true, false, true]],
    ['lessThan', [true, false, false]],
    ['lessOrEqual', [true, true, false]],
    ['greaterThan', [false, false, true]],
    ['greaterOrEqual', [false, true, true]],
  ])('%s compares numbers, ordered texts', (operator, results) => {
    const numbers = [1, 2, 3].map((n) => isTrue(simple('n', operator, '2'), { n }));
    expect(numbers).toEqual(results);
    const texts = ['low', 'mid', 'high'].map((s) => isTrue(simple('s', operator, 'mid'), { s }));
    expect(texts).toEqual(results);
    expect(isTrue(simple('n', operator, '2'), { s: 'low' })).toBeNull();
  });

  it('split whole numbers between two', () => {
    expect(isTrue(simple('n', 'lessOrEqual', '2.5'), { n: 2 })).toBe(true);
    expect(isTrue(simple('n', 'lessOrEqual', '2.5'), { n: 3 })).toBe(false);
  });

  it('ask whether a value is missing', () => {
    expect(isTrue(simple('n', 'isMissing'), { b: true })).toBe(true);
    expect(isTrue(simple('n', 'isNotMissing'), { b: true })).toBe(false);
    expect(isTrue(simple('b', 'equal', 'true'), { b: true })).toBe(true);
  });

  it('look for values in sets', () => {
    const set = (operator: string): string =>
      `<SimpleSetPredicate field="s" booleanOperator="${operator}">` +
      '<Array n="2" type="string">&quot;low&quot; high</Array></SimpleSetPredicate>';
    expect(['low', 'mid'].map((s) => isTrue(set('isIn'), { s }))).toEqual([true, false]);
    expect(['low', 'mid'].map((s) => isTrue(set('isNotIn'), { s }))).toEqual([false, true]);
    expect(isTrue(set('isIn'), { n: 1 })).toBeNull();
  });

  it('combine with what is unknown as Kleene did', () => {
    const yes = '<True/>';
    const no = '<False/>';
    const unknown = simple('n', 'equal', '1');
    const given = { b: true };
    const table = (operator: string): readonly (boolean | null)[] =>
      [
        [yes, yes],
        [yes, no],
        [no, no],
        [yes, unknown],
        [no, unknown],
      ].map((parts) => isTrue(compound(operator, ...parts), given));
    expect(table('and')).toEqual([true, false, false, null, false]);
    expect(table('or')).toEqual([true, true, false, true, null]);
    expect(table('xor')).toEqual([false, true, false, null, null]);
    // A surrogate is asked where the ones before it do not know.
    expect(isTrue(compound('surrogate', unknown, no, yes), given)).toBe(false);
    expect(isTrue(compound('surrogate', unknown, unknown), given)).toBeNull();
  });
});

it('says which file it cannot score, and where', () => {
  const refusal = (attributes: string, tree = root): (() => unknown) => {
    return () => weekend(attributes, tree);
  };
  const bare = '<Node score="go"><True/><Node score="stay"><True/></Node></Node>';
  expect(refusal('missingValueStrategy="defaultChild"', bare)).toThrow(
    'PMML/TreeModel/Node: missingValueStrategy="defaultChild" needs a defaultChild',
  );
  expect(refusal('missingValueStrategy="aggregateNodes"', bare)).toThrow('recordCount');
  expect(refusal('missingValueStrategy="guess"')).toThrow('"guess" is not supported');
  expect(
    refusal('', bare.replace('<Node score="stay">', '<Node score="stay" color="red">')),
  ).toThrow('PMML/TreeModel/Node/Node: the attribute color="red" is not supported');
  expect(refusal('', bare.replace('<True/></Node>', '<True/><EmbeddedModel/></Node>'))).toThrow(
    'the element EmbeddedModel is not supported here',
  );
  const order = wind('lessThan').replaceAll('wind', 'weather');
  expect(refusal('', `<Node score="go">${order}</Node>`)).toThrow('values of string have no order');
});

describe('splits by numbers', () => {
  /** A node of a random tree of splits by x and y, its number its score. */
  function grown(choices: readonly number[], predicate: string, depth: number): string {
    let at = 0;
    const next = (): number => choices[at++ % choices.length] ?? 0;
    let count = 0;
    const grow = (test: string, left: number): string => {
      count += 1;
      const id = count;
      if (left === 0 || next() % 5 === 0) return `<Node id="${id}" score="${id}">${test}</Node>`;
      const field = next() % 2 === 0 ? 'x' : 'y';
      const [low, high] =
        next() % 2 === 0 ? ['lessOrEqual', 'greaterThan'] : ['lessThan', 'greaterOrEqual'];
      const value = next() % 10;
      const child = (operator: string): string =>
        grow(
          `<SimplePredicate field="${field}" operator="${operator}" value="${value}"/>`,
          left - 1,
        );
      const isLeft = next() % 2 === 0;
      const first = child(low);
      const second = count + 1;
      const inner = first + child(high);
      return (
        `<Node id="${id}" score="${id}" defaultChild="${isLeft ? id + 1 : second}">` +
        `${test}${inner}</Node>`
      );
    };
    return grow(predicate, depth);
  }

  const scorer = (attributes: string, tree: string): ((row: Given) => Given) =>
    load(
      pmml(
        ['x:double', 'y:double', 'w:double', 'z:double'],
        `<TreeModel functionName="regression" ${attributes}>${schema('x', 'y', 'w', 'z!')}` +
          '<Output><OutputField name="id" feature="entityId"/></Output>' +
          `${tree}</TreeModel>`,
      ),
    );

  const value = fc.option(fc.integer({ min: -1, max: 11 }), { nil: null });
  const rows = fc.array(fc.record({ x: value, y: value, w: fc.constant(1) }), { maxLength: 20 });
  const attributes = fc
    .tuple(
      fc.constantFrom('none', 'lastPrediction', 'nullPrediction', 'defaultChild'),
      fc.constantFrom('returnNullPrediction', 'returnLastPrediction'),
    )
    .map(([missing, none]) => `missingValueStrategy="${missing}" noTrueChildStrategy="${none}"`);

  it('are what the single tests of their children are', () => {
    const choices = fc.array(fc.nat(), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(choices, attributes, rows, (picked, how, given) => {
        const fast = scorer(how, grown(picked, '<True/>', 4));
        // A root that asks for something is walked test by test.
        const asks = '<SimplePredicate field="w" operator="isNotMissing"/>';
        const slow = scorer(how, grown(picked, asks, 4));
        for (const row of given) expect(fast(row)).toEqual(slow(row));
      }),
      { numRuns: 60 },
    );
  });

  it('are not walked where the root does not fit', () => {
    const split = grown([1, 0, 0, 5, 1], '<True/>', 1).replace(
      '<True/>',
      '<SimplePredicate field="w" operator="isMissing"/>',
    );
    expect(scorer('', split)({ x: 1 })).toEqual({ z: 2, id: '2' });
    expect(scorer('', split)({ x: 1, w: 1 })).toEqual({ z: null, id: null });
  });
});
