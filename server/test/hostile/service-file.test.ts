// Service files that mean no good: any value anywhere, any text, each number and length of the
// schema at, below and above its limits. Checking answers with problems and never throws.

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiBodyBytesMax } from '../../src/http/api/app.ts';
import { checkService } from '../../src/services/parse.ts';
import { fileJsonSchema } from '../../src/services/schema.ts';
import { adminToken, ask, openWorld, requestOf, type World } from './world.ts';

interface Node {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

interface Field {
  readonly path: readonly string[];
  readonly node: Node;
}

// The schema's own text is what JSON Schema says of such nodes.
const fields = fieldsOf(fileJsonSchema() as Node, []);
/** Elements of lists are reached through the first one. */
const names = [...new Set(fields.flatMap(({ path }) => path))];

function fieldsOf(node: Node, path: readonly string[]): Field[] {
  return [
    { path, node },
    ...Object.entries(node.properties ?? {}).flatMap(([key, each]) =>
      fieldsOf(each, [...path, key]),
    ),
    ...(node.items === undefined ? [] : fieldsOf(node.items, [...path, '0'])),
    ...(node.anyOf ?? []).flatMap((each) => fieldsOf(each, path)),
  ];
}

/** A file that holds `value` at the place, and what has to stand beside it. */
function fileWith(path: readonly string[], value: unknown): unknown {
  const placed = path.reduceRight<unknown>(
    (inner, key) => (key === '0' ? [inner] : { [key]: inner }),
    value,
  );
  const metadata = { name: 'x', type: 'Async' };
  const file = { metadata, queue: { memory: 2 ** 24 }, ...Object(placed) };
  if (path[0] === 'metadata') file.metadata = { ...metadata, ...file.metadata };
  if (path[0] === 'queue') file.queue = { memory: 2 ** 24, ...file.queue };
  return file;
}

/** Whether something is said of the place itself. */
function isRefused(path: readonly string[], value: unknown): boolean {
  const outcome = checkService(fileWith(path, value), { strict: false, openAllowed: true });
  if (outcome.ok) return false;
  const place = path.join('.').replaceAll('.0', '[0]');
  // What begins otherwise is about other fields: too large for the memory, no way to run it.
  return outcome.problems.some(
    ({ path: at, message }) => at.replaceAll('.0', '[0]') === place && message.startsWith('must'),
  );
}

const numbers = fields.filter(({ node }) => node.type === 'integer' || node.type === 'number');
const bounded = numbers.filter(
  ({ node }) => node.minimum !== undefined && node.maximum !== undefined,
);
// The largest length needs more than the largest memory: what follows from it has tests of its own.
const follows = new Set(['queue.source.max_length', 'queue.sink.max_length']);

describe('numbers', () => {
  it('finds the schema', () => {
    expect(bounded.length).toBeGreaterThan(25);
  });

  it.each(bounded.map(({ path, node }) => ({ name: path.join('.'), path, node })))(
    '$name is taken at and within its limits, refused beyond them and as no number',
    ({ name, path, node: { minimum = 0, maximum = 0, type } }) => {
      const step = type === 'integer' ? 1 : minimum / 2;
      const within = [
        minimum,
        minimum + step,
        ...(follows.has(name) ? [] : [maximum - step, maximum]),
      ];
      for (const value of within) expect([value, isRefused(path, value)]).toEqual([value, false]);
      const beyond = [
        minimum - step,
        maximum + (step || 1),
        -1e300,
        2 ** 31,
        2 ** 53,
        2 ** 64,
        1e300,
      ];
      const above = beyond.filter((value) => value < minimum || value > maximum);
      const nonsense = ['NaN', '1e9999', [], {}, true, Number.NaN];
      for (const value of [...above, ...nonsense, Infinity, -Infinity]) {
        expect([value, isRefused(path, value)]).toEqual([value, true]);
      }
      if (type === 'integer') expect(isRefused(path, minimum + 0.5)).toBe(true);
    },
  );
});

const lengths = fields.filter(
  ({ node, path }) =>
    node.maxLength !== undefined && node.pattern === undefined && path[0] !== 'endpoint',
);

describe('texts', () => {
  it.each(lengths.map(({ path, node }) => ({ name: path.join('.'), path, node })))(
    '$name is taken at its longest and refused one longer',
    ({ path, node: { maxLength = 0 } }) => {
      expect(isRefused(path, 'x'.repeat(maxLength - 1))).toBe(false);
      expect(isRefused(path, 'x'.repeat(maxLength))).toBe(false);
      expect(isRefused(path, 'x'.repeat(maxLength + 1))).toBe(true);
    },
  );

  it('takes a token of 256 characters, and none of 257', () => {
    expect([255, 256, 257].map((length) => isRefused(['token'], 'x'.repeat(length)))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('takes a name of 63 characters with a group of 63, and none longer', () => {
    const name = ['metadata', 'name'];
    for (const length of [1, 62, 63]) expect(isRefused(name, 'n'.repeat(length))).toBe(false);
    expect(isRefused(name, `${'g'.repeat(63)}.${'n'.repeat(63)}`)).toBe(false);
    for (const bad of [
      'n'.repeat(64),
      `${'g'.repeat(64)}.n`,
      '',
      '.',
      '..',
      'a.b.c',
      '-a',
      'a/b',
      'a\\b',
      'a%2e',
      'a\0',
      'a b',
      'é',
      'a\n',
    ]) {
      expect([bad, isRefused(name, bad)]).toEqual([bad, true]);
    }
  });
});

const hostile = fc.oneof(
  fc.anything({ maxDepth: 3, withNullPrototype: true }),
  fc.constantFrom(-0, Number.NaN, 2 ** 53, 2 ** 64, '9'.repeat(400), '\0', '..', '\ud800'),
  fc.constant(JSON.parse('{"__proto__": {"a": 1}, "constructor": {"prototype": {}}}')),
);
const anyFile = fc.oneof(
  fc
    .record({ path: fc.constantFrom(...fields.map(({ path }) => path)), value: hostile })
    .map(({ path, value }) => fileWith(path, value)),
  fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), hostile, { maxKeys: 6 }),
  fc.array(hostile, { maxLength: 3 }),
);

describe('anything', () => {
  it('answers every value with problems or a service, and throws at none', async () => {
    await fc.assert(
      fc.property(anyFile, (file) => {
        const outcome = checkService(file, { strict: false, openAllowed: true });
        expect(typeof outcome.ok).toBe('boolean');
        if (!outcome.ok) expect(outcome.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
    expect(Object.prototype).not.toHaveProperty('a');
  });

  it('answers every text, whole files cut or changed somewhere', async () => {
    const whole = JSON.stringify(fileWith(['queue', 'memory'], 4000));
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.nat(whole.length).map((at) => whole.slice(0, at)),
      fc
        .tuple(fc.nat(whole.length), fc.string({ unit: 'binary', maxLength: 3 }))
        .map(([at, put]) => whole.slice(0, at) + put + whole.slice(at + 1)),
      fc.nat(2000).map((depth) => '['.repeat(depth)),
      fc.nat(2000).map((depth) => '{"a":'.repeat(depth)),
    );
    await fc.assert(
      fc.property(text, (each) => {
        expect(typeof checkService(each, { strict: false, openAllowed: true }).ok).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('over the API', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(async () => {
    await world.close();
    expect(world.errors).toEqual([]);
  });
  const post = (body: string, headers = ['Content-Type: application/json']) =>
    ask(world, requestOf('POST', '/v1/services?strict=true', { token: adminToken, headers, body }));

  it('takes a body of its limit, and answers 413 to one byte more', async () => {
    const file = JSON.stringify({ metadata: { name: 'big', type: 'Async', instance: 0 } });
    for (const [bytes, status] of [
      [apiBodyBytesMax + 1, 413],
      [apiBodyBytesMax, 201],
    ] as const) {
      expect((await post(file.padEnd(bytes, ' '))).status).toBe(status);
    }
  });

  it('answers 4xx to whatever is no service, also nested without end', async () => {
    for (const body of [
      '',
      'null',
      '[]',
      '""',
      '0',
      '{',
      '{}',
      '\0',
      '\xff\xfe',
      '{"metadata": {"name": "../x"}}',
      '{"metadata": {"name": "x", "name": "y"}}',
      '['.repeat(500_000),
      '{"a":'.repeat(200_000),
      `{"metadata": {"name": "${'x'.repeat(100_000)}"}}`,
      JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`k${at}`, at]))),
    ]) {
      const { status } = await post(body);
      expect([body.slice(0, 20), status]).toEqual([
        body.slice(0, 20),
        expect.toSatisfy((seen: number) => seen >= 400 && seen < 500),
      ]);
    }
    expect((await post('{}', ['Content-Type: text/xml'])).status).toBe(415);
  });

  it('answers no fuzzed file with a failure of its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), anyFile, async (json, file) => {
        for (const value of [json, file]) {
          const { status } = await post(JSON.stringify(value, plainly) ?? 'null');
          expect(status).toBeLessThan(500);
        }
      }),
      { numRuns: 100 },
    );
  });
});

function plainly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
