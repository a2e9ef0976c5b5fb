// Reads the repository's own files for the tidy tests: which there are, what they import, and
// their code without comments and strings.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

const skipped = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage', '.sluice']);
const textEndings = /\.(ts|tsx|js|css|html|json|md|txt|yml|yaml|sh)$|(^|\/)(LICENSE|run|\.[a-z]+)$/;

export interface Source {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** All text files under a folder of the repository, in the order of their paths. */
export function textFiles(folder = '.'): readonly Source[] {
  return [...walk(join(root, folder))]
    .map((file) => relative(root, file).split(sep).join('/'))
    .filter((path) => textEndings.test(path) && !path.endsWith('.tsbuildinfo'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** The TypeScript and JavaScript files under these folders. */
export function codeFiles(...folders: readonly string[]): readonly Source[] {
  return folders
    .flatMap((folder) => textFiles(folder))
    .filter(({ path }) => /\.(ts|tsx|js)$/.test(path));
}

function* walk(folder: string): Generator<string> {
  // git keeps no empty folders.
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** Every module that a file imports, statically or not, as it is written there. */
export function importsOf({ text }: Source): readonly string[] {
  const code = withoutComments(text);
  const patterns = [
    /^(?:import|export)\b[^;'"]*?\bfrom\s+['"]([^'"]+)['"]/gm,
    /^import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ''));
}

/** The code with comments blanked; positions and lines stay. */
export function withoutComments(text: string): string {
  return blank(text, { strings: false });
}

/** The code with comments and the insides of strings blanked; positions and lines stay. */
export function bareCode(text: string): string {
  return blank(text, { strings: true });
}

/** The 1-based line of a position. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

// One alternative per thing that may hide other things. A template is blanked as a whole but for
// what stands in its `${}`, which is code again.
const tokens =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[(,=:[!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;

function blank(text: string, { strings }: { readonly strings: boolean }): string {
  return text.replace(tokens, (token) => {
    if (token.startsWith('//') || token.startsWith('/*')) return spaces(token);
    if (!strings) return token;
    if (!token.startsWith('`')) return spaces(token);
    let from = 0;
    let result = '';
    for (const inner of token.matchAll(/\$\{([^{}]*)\}/g)) {
      result += spaces(token.slice(from, inner.index)) + inner[0];
      from = inner.index + inner[0].length;
    }
    return result + spaces(token.slice(from));
  });
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
