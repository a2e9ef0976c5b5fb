// Reading the services that files declare.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDeclarations } from '../../src/cli/definitions.ts';
import { openSurroundings } from './cli-world.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { context } = openSurroundings();

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test('a folder is read in the order of its names: JSON with comments, nothing hidden', async () => {
  write('b.jsonc', '{"metadata.name": "b" /* dotted */,}');
  write('a.json', '{"metadata": {"name": "a"}}');
  write('.hidden.json', '{');
  write('notes.txt', 'x');
  mkdirSync(join(folder, 'more.json'));
  const { isFolder, declarations } = await readDeclarations(context, folder);
  expect(isFolder).toBe(true);
  expect(declarations.map(({ name, file }) => [name, file])).toEqual([
    ['a', join(folder, 'a.json')],
    ['b', join(folder, 'b.jsonc')],
  ]);
});

test('one file may be named as people like', async () => {
  const file = write('service', '{"name": "old-form"}');
  const { isFolder, declarations } = await readDeclarations(context, file);
  expect({ isFolder, names: declarations.map(({ name }) => name) }).toEqual({
    isFolder: false,
    names: ['old-form'],
  });
});

test('all mistakes are told at once, each with its file', async () => {
  write('a.json', '{\n  oops}');
  write('b.json', '{"metadata": {}}');
  write('c.json', '{"metadata": {"name": "c"}}');
  write('d.json', '{"metadata": {"name": "c"}}');
  write('e.json', ' ');
  const refused = await readDeclarations(context, folder).catch((error: unknown) => error);
  const lines = refused instanceof Error ? refused.message.split('\n') : [];
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/a\.json: line 2, column 3/);
  expect(lines[1]).toMatch(/b\.json: names no service: set metadata\.name/);
  expect(lines[2]).toMatch(/e\.json is empty/);
  expect(lines[3]).toBe(`${join(folder, 'd.json')}: declares c, as ${join(folder, 'c.json')} does`);
});

test('an empty folder and a missing path are refused', async () => {
  await expect(readDeclarations(context, folder)).rejects.toThrow('no *.json and no *.jsonc file');
  const missing = join(folder, 'missing');
  await expect(readDeclarations(context, missing)).rejects.toThrow('there is no such file');
});

test('paths of models are those of the file that names them', async () => {
  const file = write(
    'scores.json',
    '{"metadata.name": "scores", "model_path": "m/a.pmml", "processor_path": "./b.py"}',
  );
  const { declarations } = await readDeclarations(context, file);
  expect(declarations[0]?.definition).toEqual({
    'metadata.name': 'scores',
    model_path: join(folder, 'm/a.pmml'),
    processor_path: join(folder, 'b.py'),
  });
  for (const path of ['/srv/a.pmml', 's3://models/a.pmml', 'https://models.example.com/a.pmml']) {
    const other = write('other.json', JSON.stringify({ name: 'other', model_path: path }));
    const found = await readDeclarations(context, other);
    expect(found.declarations[0]?.definition).toMatchObject({ model_path: path });
  }
});
