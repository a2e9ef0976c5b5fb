// Facts about the repository as a whole: what a stranger's clone needs to install and build, what
// must never be committed, and that the manual says what the code says.

import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, it } from 'vitest';
import { generatedPages } from '../../../scripts/manual.ts';
import { codeFiles, root, textFiles } from './sources.ts';

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly private?: boolean;
  readonly version?: string;
  readonly license?: string;
  readonly engines?: Versions;
  readonly scripts?: Versions;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

const manifests = ['package.json', ...['sdk', 'server', 'console'].map(manifestOf)];

it('pins every dependency to one exact version', () => {
  const loose = manifests.flatMap((path) =>
    Object.entries(dependenciesOf(path))
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => `${path}: ${name}@${version}`),
  );
  expect(loose).toEqual([]);
});

it('gives all workspaces one version, one licence and one oldest Node', () => {
  const versions = new Set(manifests.map((path) => readJson(path).version));
  const licences = new Set(manifests.map((path) => readJson(path).license));
  expect([...versions]).toHaveLength(1);
  expect([...licences]).toEqual(['Apache-2.0']);
  expect(readJson('package.json').engines).toEqual({ node: '>=20.19' });
  expect(readJson('package.json').private).toBe(true);
});

it('declares every package that the server and the SDK import', () => {
  const missing = ['sdk', 'server'].flatMap((workspace) => {
    const declared = dependenciesOf(manifestOf(workspace));
    return codeFiles(`${workspace}/src`).flatMap(({ path, text }) =>
      [...text.matchAll(/\bfrom '((?:@[\w-]+\/)?[\w-]+)[^']*';/g)]
        .map((match) => match[1] ?? '')
        .filter((name) => name !== 'node' && declared[name] === undefined)
        .map((name) => `${path}: ${name}`),
    );
  });
  expect(missing).toEqual([]);
});

it('names no machine path and no package registry', () => {
  // Written in pieces, or this file would find itself.
  const banned = ['work', 'root'].map((folder) => `/${folder}/`);
  const hosts = [
    ['registry', 'npmjs', 'org'],
    ['deb', 'debian', 'org'],
  ].map((parts) => parts.join('.'));
  const found = textFiles().flatMap(({ path, text }) =>
    [...banned, ...hosts].filter((word) => text.includes(word)).map((word) => `${path}: ${word}`),
  );
  expect(found).toEqual([]);
});

for (const [path, text] of await generatedPages()) {
  it(`has docs/${path} as the sources define it (npm run docs)`, () => {
    expect(readFileSync(join(root, 'docs', path), 'utf8')).toBe(text);
  });
}

it('carries its licence, its changes and the one command of CI', () => {
  expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toContain('Apache License');
  expect(existsSync(join(root, 'CHANGELOG.md'))).toBe(true);
  const commands = readFileSync(join(root, '.ci/run'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !/^(#|set |cd |export CI=true$)/.test(line));
  expect(commands).toEqual(['npm test']);
});

it('links only to files that exist', () => {
  const dead = textFiles()
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .filter((match) => !existsSync(join(root, path, '..', match[1] ?? '')))
        .map((match) => `${path}: ${match[1]}`),
    );
  expect(dead).toEqual([]);
});

it('names only scripts and commands that exist', () => {
  const { scripts = {} } = readJson('package.json');
  const commands = new Set(
    textFiles('server/src/cli/commands').map(({ path }) => posix.basename(path, '.ts')),
  );
  const wrong = textFiles()
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) => [
      ...[...text.matchAll(/\bnpm run ([\w:-]+)/g)]
        .filter(({ 1: name = '' }) => scripts[name] === undefined)
        .map(([found]) => `${path}: ${found}`),
      ...[...text.matchAll(/(?<=[`\n] *)(?:npx (?:--no-install )?)?sluice ([a-z][\w-]*)/g)]
        .filter(({ 1: name = '' }) => !commands.has(name))
        .map(([found]) => `${path}: ${found}`),
    ]);
  expect(wrong).toEqual([]);
});

function manifestOf(workspace: string): string {
  return `${workspace}/package.json`;
}

function dependenciesOf(path: string): Versions {
  const { dependencies, devDependencies, optionalDependencies } = readJson(path);
  return { ...dependencies, ...devDependencies, ...optionalDependencies };
}

function readJson(path: string): Manifest {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
