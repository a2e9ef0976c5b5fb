// Time, chance, environment and terminal have one door each (kernel/ and a few named files), so
// that all else runs on a virtual clock with a seed. Here stands which call needs which door.

import { expect, it } from 'vitest';
import { bareCode, codeFiles, lineAt, type Source } from './sources.ts';

interface Ban {
  readonly what: string;
  readonly calls: RegExp;
  readonly doors: readonly string[];
}

/** The SDK takes clock, randomness and transport as options; its defaults live in this file. */
const sdkDoor = 'sdk/src/platform.ts';

const bans: readonly Ban[] = [
  {
    what: 'reads the clock or sets a timer',
    calls:
      /\b(Date\.now|performance\.now|process\.hrtime|AbortSignal\.timeout)\b|\bnew Date\(\)|\b(?<!\.)(setTimeout|setInterval|setImmediate)\(/g,
    doors: ['server/src/kernel/clock.ts', sdkDoor],
  },
  {
    what: 'makes randomness or ids',
    calls: /\b(Math\.random|randomUUID|randomBytes|randomInt|getRandomValues)\b/g,
    doors: ['server/src/kernel/random.ts', sdkDoor],
  },
  {
    what: 'reads the environment',
    calls: /\bprocess\.env\b/g,
    doors: ['server/src/config/environment.ts', sdkDoor],
  },
  {
    what: 'writes to the terminal',
    calls: /\bconsole\.\w+\b|\bprocess\.(stdout|stderr)\b/g,
    doors: ['server/src/kernel/log.ts', 'server/src/cli/output.ts'],
  },
];

const sources = codeFiles('server/src', 'sdk/src', 'console/src');

for (const ban of bans) {
  it(`${ban.what} in ${ban.doors.join(' and ')} only`, () => {
    const broken = sources
      .filter(({ path }) => !ban.doors.includes(path))
      .flatMap((source) => finds(source, ban.calls));
    expect(broken).toEqual([]);
  });
}

it('sees calls in code and templates, not in comments and strings', () => {
  const template = ['`x $', '{Date.now()}`'].join('');
  const text = `a(); // Date.now()\nb("Date.now()", ${template});\n/* Date.now() */`;
  const found = finds({ path: 'probe.ts', text }, bans[0]?.calls ?? /x/g);
  expect(found).toEqual(['probe.ts:2 Date.now']);
});

function finds({ path, text }: Source, calls: RegExp): readonly string[] {
  const code = bareCode(text);
  return [...code.matchAll(calls)].map(
    (match) => `${path}:${lineAt(code, match.index)} ${match[0]}`,
  );
}
