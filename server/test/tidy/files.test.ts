// The shape of source files: how long, how wide, how named, how they begin, what they export.
// The length of functions is Biome's to watch (biome.json).

import { posix } from 'node:path';
import { expect, it } from 'vitest';
import { codeFiles, lineAt, type Source, textFiles, withoutComments } from './sources.ts';

const linesMax = 400;
const columnsMax = 100;
const vagueNames = /(^|\/)(utils?|helpers?|common|types|misc|shared|lib)\.(ts|js)$/;
const entries = ['sdk/src/index.ts', 'sdk/src/wire.ts'];

const products = codeFiles('sdk/src', 'server/src', 'console/src');
const code = [
  ...products,
  ...codeFiles('server/test', 'server/bin', 'sdk/test'),
  ...codeFiles('bench', 'chaos', 'scripts', 'examples'),
];

it(`keeps every file within ${linesMax} lines`, () => {
  const long = code
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > linesMax);
  expect(long).toEqual([]);
});

it(`keeps every line within ${columnsMax} columns`, () => {
  const wide = code.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, at) => {
      const tooWide = [...line].length > columnsMax && !isPattern(line);
      return tooWide ? [`${path}:${at + 1}`] : [];
    }),
  );
  expect(wide).toEqual([]);
});

it('begins every file with a comment that says what it owns', () => {
  const mute = code
    .filter(({ text }) => !/^(#![^\n]*\n(':' \/\/[^\n]*\n)?)?\/\/ \S/.test(text))
    .map(({ path }) => path);
  expect(mute).toEqual([]);
});

it('names every file in kebab-case after one noun', () => {
  const vague = code
    .map(({ path }) => path)
    .filter((path) => vagueNames.test(path) || !/\/[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(path));
  expect(vague).toEqual([]);
});

it('has no default exports', () => {
  expect(finds(products, /^export default\b/gm)).toEqual([]);
});

it('re-exports in the entries of a workspace only', () => {
  const others = products.filter(({ path }) => !entries.includes(path));
  expect(finds(others, /^export \*/gm)).toEqual([]);
  const barrels = others.filter(({ text }) => {
    const rest = withoutComments(text).replace(/^export (type )?\{[^}]*\} from '[^']+';$/gm, '');
    return rest.trim() === '';
  });
  expect(barrels.map(({ path }) => path)).toEqual([]);
});

it('documents every function and class that other folders use', () => {
  // Half of a pair says all by its name, and so does a command by the file it stands in.
  const plain = /^(read|write|encode|decode)[A-Z]|(Command|Routes)$/;
  const used = new Set(products.flatMap(namesFromOtherFolders));
  const bare = products.flatMap(({ path, text }) => {
    const found = [...text.matchAll(/^export (?:async )?(?:function\*?|class) (\w+)/gm)];
    // The comment at the head of a file speaks for its one class, or the one thing it exports.
    if (found.length === 1) return [];
    const classes = found.filter(([declaration]) => declaration.includes(' class ')).length;
    return found
      .filter(([declaration]) => classes !== 1 || !declaration.includes(' class '))
      .filter(({ 1: name = '' }) => !plain.test(name))
      .filter(({ 1: name }) => used.has(`${path} ${name}`) || entries.includes(path))
      .filter((match) => !isCommented(text.slice(0, match.index)))
      .map((match) => `${path}:${lineAt(text, match.index)} ${match[1]}`);
  });
  expect(bare).toEqual([]);
});

it('has no marker comments for later', () => {
  const marks = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
    'g',
  );
  expect(finds(textFiles(), marks)).toEqual([]);
});

/** A regular expression can't be broken over lines; a long address neither. */
function isPattern(line: string): boolean {
  return /^\s*(\/.*\/[a-z]*[,;)]*|.*https?:\/\/\S+)$/.test(line);
}

/** What a file imports by name from other folders, as "path name". */
function namesFromOtherFolders({ path, text }: Source): readonly string[] {
  const folder = posix.dirname(path);
  return [...text.matchAll(/^import (?:type )?\{([^}]*)\} from '(\.[^']*)';$/gm)].flatMap(
    (match) => {
      const from = posix.join(folder, match[2] ?? '');
      if (posix.dirname(from) === folder) return [];
      const names = (match[1] ?? '').split(',').map((name) => name.trim().replace(/^type /, ''));
      return names.map((name) => `${from} ${name.split(' as ')[0]}`);
    },
  );
}

/** Whether the last line above a declaration is a comment. */
function isCommented(above: string): boolean {
  const line = above.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line.endsWith('*/') || line.startsWith('//');
}

function finds(sources: readonly Source[], pattern: RegExp): readonly string[] {
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index)}`),
  );
}
