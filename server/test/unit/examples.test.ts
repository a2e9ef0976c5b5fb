// The examples: every service.json in them is accepted as it is, and the front page names them all.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkService } from '../../src/services/parse.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const folders = readdirSync(new URL('examples/', root), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `examples/${name}/`);

const declarations = folders.flatMap((folder) =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith('.json') && !name.startsWith('package'))
    .map((name) => `${folder}${name}`)
    // Others hold what is put and what comes back.
    .filter((path) => read(path).includes('"metadata"')),
);

/** Samples of the EAS manual, kept as they are, with what an EAS does and Sluice does not. */
const remarks: Readonly<Record<string, string>> = {
  'examples/service-json/image.json': 'accepted without effect here: cloud,',
};

it.each(declarations)('%s is accepted, also strictly', (path) => {
  const outcome = checkService(read(path), { strict: true, openAllowed: false });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problems));
  const expected = remarks[path];
  expect(outcome.service.warnings).toEqual(
    expected === undefined ? [] : [expect.stringContaining(expected)],
  );
});

it.each(folders)('%s is named on the front page, by its manual page', (folder) => {
  const page = existsSync(new URL(`${folder}README.md`, root)) ? `${folder}README.md` : folder;
  expect(read('README.md')).toContain(`(${page})`);
});
