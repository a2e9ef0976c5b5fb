// Who may import whom. The one place where the direction is written down as code: changing the
// direction of the architecture means changing these tables in the open.

import { posix } from 'node:path';
import { expect, it } from 'vitest';
import { codeFiles, importsOf, type Source } from './sources.ts';

/** Parsers of addresses, durations and commented JSON: they know no setting, whoever may use them. */
const parsers = ['config/address.ts', 'config/duration.ts', 'config/jsonc.ts'];

const behindTheEdge = ['broker', 'engine', 'queue', 'kernel'];

/** What the composition root connects. */
const everyPart = [
  ...[
    'http',
    'requests',
    'worker',
    'services',
    'instances',
    'autoscaler',
    'events',
    'blobs',
    'callbacks',
    'models',
    'deployment',
    'config',
  ],
  ...behindTheEdge,
];

/** Each part of the server and the parts that it may import besides itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  queue: ['kernel/invariant.ts'],
  kernel: [],
  engine: ['queue', 'kernel'],
  broker: ['engine', 'queue', 'kernel'],
  worker: behindTheEdge,
  requests: ['deployment', ...behindTheEdge],
  callbacks: behindTheEdge,
  blobs: behindTheEdge,
  models: ['engine', 'kernel'],
  // Model servers that ship with Sluice: each runs in a process of its own and knows no queue.
  processors: ['kernel', 'config/version.ts', ...parsers],
  deployment: [],
  services: ['deployment', ...behindTheEdge, ...parsers],
  instances: ['deployment', ...behindTheEdge],
  autoscaler: ['deployment', ...behindTheEdge],
  http: ['requests', ...behindTheEdge, ...parsers],
  config: ['kernel', 'queue'],
  events: ['kernel'],
  'platform.ts': ['platform', ...everyPart],
  platform: everyPart,
  // The second composition root: an instance here that works for a service of another machine. It
  // connects the parts that run and feed an instance with the SDK, which brings the work.
  join: ['worker', 'instances', 'deployment', ...behindTheEdge, ...parsers],
  cli: [
    ...['platform.ts', 'join', 'config', 'services', 'http', 'instances', 'processors'],
    ...behindTheEdge,
  ],
  'main.ts': ['cli', 'platform.ts', 'config', 'kernel'],
};

/** Packages that only one part may know. */
const packageHomes: Readonly<Record<string, string>> = {
  lmdb: 'engine',
  dockerode: 'instances',
  commander: 'cli',
  fastify: 'http',
  pino: 'kernel',
};

/** Parts that know nothing of the world: no package and nothing of Node. */
const pure = ['queue'];

const server = codeFiles('server/src');

it('finds the sources', () => {
  expect(server.length).toBeGreaterThan(10);
});

it('lets each part of the server import only what is to its right', () => {
  const broken = server.flatMap((source) =>
    localImports(source, 'server/src')
      .filter((target) => !mayImport(inPart(source.path), target))
      .map((target) => `${source.path} imports ${target}`),
  );
  expect(broken).toEqual([]);
});

it('knows every part of the server', () => {
  const parts = new Set(server.map(({ path }) => partOf(inPart(path))));
  expect([...parts].filter((part) => allowed[part] === undefined)).toEqual([]);
});

it('keeps the rules of the queue free of packages and of Node', () => {
  const broken = server
    .filter(({ path }) => pure.includes(partOf(inPart(path))))
    .flatMap((source) =>
      outsideImports(source)
        .filter((name) => name !== '@sluice/sdk/wire')
        .map((name) => `${source.path} imports ${name}`),
    );
  expect(broken).toEqual([]);
});

it('lets only the command line and joined workers use the whole SDK, others its wire', () => {
  const broken = server
    .filter(({ path }) => !['cli', 'join', 'main.ts'].includes(partOf(inPart(path))))
    .flatMap((source) =>
      outsideImports(source)
        .filter((name) => name.startsWith('@sluice/') && name !== '@sluice/sdk/wire')
        .map((name) => `${source.path} imports ${name}`),
    );
  expect(broken).toEqual([]);
});

it('keeps storage, command and web packages in the one part that owns them', () => {
  const broken = server.flatMap((source) =>
    outsideImports(source)
      .filter((name) => (packageHomes[name] ?? partOf(inPart(source.path))) !== homeOf(source))
      .map((name) => `${source.path} imports ${name}`),
  );
  expect(broken).toEqual([]);
});

it('lets the SDK know Node and ws in platform.ts only', () => {
  const broken = codeFiles('sdk/src')
    .filter(({ path }) => path !== 'sdk/src/platform.ts')
    .flatMap((source) => outsideImports(source).map((name) => `${source.path} imports ${name}`));
  expect(broken).toEqual([]);
});

it('lets the SDK import nothing outside of itself but ws and Node', () => {
  const outside = codeFiles('sdk/src').flatMap((source) => [
    ...outsideImports(source).filter((name) => name !== 'ws' && !name.startsWith('node:')),
    ...localImports(source, 'sdk/src').filter((path) => path.startsWith('..')),
  ]);
  expect(outside).toEqual([]);
});

it('imports files with their ending', () => {
  const broken = [
    ...server,
    ...codeFiles('sdk', 'server/test', 'bench', 'chaos', 'scripts'),
  ].flatMap((source) =>
    importsOf(source)
      .filter((name) => name.startsWith('.') && !/\.(ts|tsx|js|json|css)$/.test(name))
      .map((name) => `${source.path} imports ${name}`),
  );
  expect(broken).toEqual([]);
});

function mayImport(from: string, target: string): boolean {
  const part = partOf(from);
  if (partOf(target) === part) return true;
  return (allowed[part] ?? []).some((name) => name === target || name === partOf(target));
}

function homeOf({ path }: Source): string {
  return partOf(inPart(path));
}

function inPart(path: string): string {
  return path.slice('server/src/'.length);
}

/** The folder below src, or the file itself for the few that lie there directly. */
function partOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Relative imports of a file, as paths from `base`. */
function localImports(source: Source, base: string): readonly string[] {
  return importsOf(source)
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.relative(base, posix.join(posix.dirname(source.path), name)));
}

function outsideImports(source: Source): readonly string[] {
  return importsOf(source).filter((name) => !name.startsWith('.'));
}
