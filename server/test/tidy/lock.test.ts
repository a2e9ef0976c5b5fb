// What the lock files must hold, so that `npm ci` works for a stranger: no address of a registry,
// the parts for every platform, and nothing that asks for a newer Node than we do.

import { expect, it } from 'vitest';
import { textFiles } from './sources.ts';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
  readonly engines?: { readonly node?: string } | readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const oldest = [20, 19, 0] as const;

const locks = textFiles()
  .filter(({ path }) => path.endsWith('package-lock.json'))
  .map(({ path, text }) => {
    const { packages }: { packages: Readonly<Record<string, Locked>> } = JSON.parse(text);
    return { path, packages };
  });

it('finds the lock files', () => {
  expect(locks.map(({ path }) => path)).toContain('package-lock.json');
});

for (const { path, packages } of locks) {
  const entries = Object.entries(packages);

  it(`${path} holds no address of a registry`, () => {
    const bound = entries.filter(([, { resolved }]) => resolved?.startsWith('http') === true);
    expect(bound.map(([name]) => name)).toEqual([]);
  });

  // npm leaves out parts for other platforms that the registry at hand did not have when the file
  // was written, and then `npm ci` refuses the file.
  it(`${path} holds the parts of required packages for every platform`, () => {
    const missing = entries
      .filter(([, { optional }]) => optional !== true)
      .flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies))
      .filter((name) => packages[`node_modules/${name}`] === undefined);
    expect(missing).toEqual([]);
  });

  it(`${path} holds only packages that run on the oldest Node we name`, () => {
    const tooNew = entries.flatMap(([name, { engines, optional }]) => {
      const range = engines !== undefined && 'node' in engines ? engines.node : undefined;
      return optional === true || range === undefined || accepts(range) ? [] : [`${name} ${range}`];
    });
    expect(tooNew).toEqual([]);
  });
}

it('reads ranges of versions', () => {
  expect(
    ['>=20', '^20.0.0 || >=22', '>= 10.16', '*', '^18 || 20.x', '>=18 <25'].map(accepts),
  ).toEqual(Array(6).fill(true));
  expect(['>=22', '^18.0.0', '>=20.20', '^22 || >=24'].map(accepts)).toEqual(Array(4).fill(false));
});

/** Whether our oldest Node is in a range, as packages write them. */
function accepts(range: string): boolean {
  return range.split('||').some((alternative) => {
    const comparators = alternative
      .replace(/([<>=^~])\s+/g, '$1')
      .trim()
      .split(/\s+/);
    return comparators.every(satisfies);
  });
}

function satisfies(comparator: string): boolean {
  const [, operator = '', text = ''] = /^([<>=^~]*)v?([\dx*.]*)$/.exec(comparator) ?? [];
  const [major = NaN, minor = 0, patch = 0] = text.split('.').map(Number);
  if (Number.isNaN(major)) return text === '' || text === '*';
  const difference = oldest[0] - major || oldest[1] - (minor || 0) || oldest[2] - (patch || 0);
  if (operator === '>=') return difference >= 0;
  if (operator === '<') return difference < 0;
  return oldest[0] === major && (operator === '^' ? difference >= 0 : true);
}
