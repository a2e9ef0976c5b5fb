// The kinds of processors by their names. Each is loaded when it is asked for, so that nothing of
// the others costs time or memory.

import type { Load } from './processor.ts';

const loaders: Readonly<Record<string, () => Promise<{ readonly load: Load }>>> = {
  node: () => import('./module/load.ts'),
  python: () => import('./python/load.ts'),
  pmml: () => import('./pmml/load.ts'),
  onnx: () => import('./onnx/load.ts'),
};

/** All there are. */
export const kindNames: readonly string[] = Object.keys(loaders);

/** The loader of a kind; undefined: there is none of that name. */
export async function loaderOf(kind: string): Promise<Load | undefined> {
  if (!Object.hasOwn(loaders, kind)) return undefined;
  return (await loaders[kind]?.())?.load;
}

/** The kind that a file is of by its name: `.mjs`, `.js` and `.cjs` are `node`, `.py` is `python`. */
export function kindOfFile(path: string): string | undefined {
  const ending = /\.[a-z]+$/.exec(path.toLowerCase())?.[0] ?? '';
  return kindByEnding.get(ending);
}

const kindByEnding: ReadonlyMap<string, string> = new Map([
  ...['.mjs', '.js', '.cjs'].map((ending): [string, string] => [ending, 'node']),
  ['.py', 'python'],
  ['.pmml', 'pmml'],
  ['.xml', 'pmml'],
  ['.onnx', 'onnx'],
]);
