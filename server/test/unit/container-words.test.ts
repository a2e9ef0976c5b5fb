// The container driver's pure parts: where the engine is, what it is asked for, what it said, and
// how far a pull or a log has come.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerSource } from '../../src/deployment/instances.ts';
import { engineAddress } from '../../src/instances/container/address.ts';
import { createOptions } from '../../src/instances/container/create.ts';
import { pullRefusal, registryOf, startRefusal } from '../../src/instances/container/faults.ts';
import { labelsOf, readLabels } from '../../src/instances/container/labels.ts';
import { beginning, OutputReader, sinceOf } from '../../src/instances/container/output.ts';
import { PullProgress } from '../../src/instances/container/pull-progress.ts';
import { UsageMeter } from '../../src/instances/container/usage.ts';
import type { Launch } from '../../src/instances/driver.ts';

const source: ContainerSource = {
  kind: 'container',
  image: 'a/b:1',
  run: undefined,
  port: 8000,
  env: {},
  workDir: undefined,
  mounts: [],
  shmBytes: 0,
  dockerAuth: undefined,
};

const launch: Launch = {
  service: 'reader',
  number: 7,
  instance: 'reader-aaaaa',
  key: '7.3',
  revision: 4,
  source,
  url: undefined,
  resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
  devices: [],
  tell: () => undefined,
  signal: new AbortController().signal,
};

describe('the engine is looked for', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-address-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it.each([
    ['unix:///run/x.sock', { kind: 'socket', path: '/run/x.sock' }],
    ['unix://', { kind: 'socket', path: '/var/run/docker.sock' }],
    ['tcp://127.0.0.1:4000', { kind: 'port', host: '127.0.0.1', port: 4000 }],
    ['tcp://[::1]', { kind: 'port', host: '::1', port: 2375 }],
    ['localhost:2376', { kind: 'port', host: 'localhost', port: 2376 }],
    ['tcp://gpu-box:2375', { kind: 'unusable' }],
    ['ssh://me@gpu-box', { kind: 'unusable' }],
    ['a b', { kind: 'unusable' }],
  ])('where DOCKER_HOST says: %s', (said, target) => {
    expect(engineAddress({ DOCKER_HOST: said }).target).toMatchObject(target);
  });

  it('else at a socket of the user that exists', async () => {
    const path = join(folder, 'docker.sock');
    await writeFile(path, '');
    const found = engineAddress({ XDG_RUNTIME_DIR: folder, DOCKER_HOST: '' });
    // A machine with an engine for everybody has that one first.
    expect([path, '/var/run/docker.sock']).toContain(found.name);
    expect(engineAddress({ HOME: folder }).name).toBe('/var/run/docker.sock');
  });
});

describe('a container', () => {
  const folder = 'f'.repeat(32);
  const options = (more: Partial<Launch>): ReturnType<typeof createOptions> =>
    createOptions({ launch: { ...launch, ...more }, source, folder, name: 'x' });

  it('is limited in what it was promised only, with its accelerators by number', () => {
    const free = options({}).HostConfig ?? {};
    const names = ['NanoCpus', 'Memory', 'MemorySwap', 'ShmSize', 'DeviceRequests'];
    expect(Object.keys(free).filter((name) => names.includes(name))).toEqual([]);
    const bound = options({
      resources: { cpuMillis: 1500, memoryBytes: 2 ** 30, gpus: 2 },
      devices: [3, 0],
    });
    expect(bound.HostConfig).toMatchObject({
      NanoCpus: 1_500_000_000,
      Memory: 2 ** 30,
      MemorySwap: 2 ** 30,
      DeviceRequests: [{ DeviceIDs: ['3', '0'], Capabilities: [['gpu']] }],
    });
  });

  it('says by its labels what it is, and nothing else is believed', () => {
    const labels = labelsOf({ ...launch, devices: [3, 0] }, folder, 8000);
    const { service, number, instance, key, revision } = launch;
    expect(readLabels(labels)).toEqual({
      ...{ folder, service, number, instance, key, revision },
      port: 8000,
      devices: [3, 0],
    });
    expect(readLabels(labelsOf(launch, folder, 1))?.devices).toEqual([]);
    for (const name of Object.keys(labels)) {
      if (name === 'sluice.devices') continue;
      expect(readLabels({ ...labels, [name]: undefined })).toBeUndefined();
      expect(readLabels({ ...labels, [name]: '' })).toBeUndefined();
    }
    expect(readLabels({ ...labels, 'sluice.format': '2' })).toBeUndefined();
    expect(readLabels({ ...labels, 'sluice.devices': 'a' })).toBeUndefined();
  });
});

describe('what the engine says of an image', () => {
  it.each([
    ['a', 'docker.io'],
    ['a/b:1', 'docker.io'],
    ['ghcr.io/a/b', 'ghcr.io'],
    ['localhost/a', 'localhost'],
    ['box:5000/a:1', 'box:5000'],
  ])('comes from its registry: %s', (image, registry) => {
    expect(registryOf(image)).toBe(registry);
  });

  it.each([
    ['toomanyrequests: You have reached your pull rate limit', /cannot be pulled: toomany/, false],
    ['manifest for a/b:1 not found: manifest unknown', /^docker.io has no image a\/b:1$/, true],
    [
      "pull access denied for a/b, repository does not exist or may require 'docker login'",
      /has no image a\/b:1, or wants a login for it/,
      true,
    ],
    ['Get https://x/v2/: unauthorized: incorrect username or password', /another login/, true],
    ['Get https://x/v2/: no basic auth credentials', /wants another login/, true],
    ['http: server gave HTTP response to HTTPS client', /insecure-registries/, true],
    ['dial tcp: lookup x: no such host', /does not answer/, false],
    ['context deadline exceeded', /does not answer/, false],
    ['no space left on device', /cannot be pulled: no space left/, false],
  ])('is said in our words: %s', (said, words, isFinal) => {
    const refusal = pullRefusal('a/b:1', said);
    expect(refusal.text).toMatch(words);
    expect(refusal.isFinal).toBe(isFinal);
  });

  it('is kept where it says more, within bounds', () => {
    const fault = { status: 400, code: undefined, text: 'Minimum memory limit allowed is 6MB.' };
    expect(startRefusal(fault)).toEqual({
      text: `cannot be started: ${fault.text}`,
      isFinal: true,
    });
    const long = startRefusal({ ...fault, status: 500, text: 'x'.repeat(5000) });
    expect(long.text.length).toBeLessThan(500);
    expect(long.isFinal).toBe(false);
  });
});

it('tells how far a pull has come, as soon as sizes are known', () => {
  const progress = new PullProgress();
  const seen = (id: string, status: string, current?: number, total?: number): string => {
    const known = current === undefined ? {} : { current, total: total ?? 0 };
    progress.add({ id, status, progressDetail: known });
    return progress.text();
  };
  expect(progress.text()).toBe('');
  // The first line names the tag as if it were a layer.
  expect(seen('1.4', 'Pulling from team/model')).toBe('');
  expect(seen('a', 'Already exists')).toBe('1 of 1 layer');
  expect(seen('b', 'Pulling fs layer')).toBe('1 of 2 layers');
  expect(seen('c', 'Waiting')).toBe('1 of 3 layers');
  expect(seen('b', 'Downloading', 5_000_000, 40_000_000)).toBe('5.0 MB, 1 of 3 layers');
  expect(seen('c', 'Downloading', 1, 60_000_000)).toBe('5.0 of 100 MB (5 %), 1 of 3 layers');
  expect(seen('b', 'Download complete')).toBe('40 of 100 MB (40 %), 1 of 3 layers');
  expect(seen('b', 'Extracting', 1, 40_000_000)).toBe('40 of 100 MB (40 %), 1 of 3 layers');
  expect(seen('c', 'Verifying Checksum')).toBe('unpacking, 1 of 3 layers');
  expect(seen('b', 'Pull complete')).toBe('unpacking, 2 of 3 layers');
  expect(seen('c', 'Pull complete')).toBe('100 of 100 MB (100 %), 3 of 3 layers');
});

describe('the output of a container', () => {
  const frame = (at: number, text: string): Buffer => {
    const nanoseconds = String(at % 1000).padStart(9, '0');
    const second = new Date(Math.floor(at / 1000) * 1000).toISOString().slice(0, 19);
    const body = Buffer.from(`${second}.${nanoseconds}Z ${text}`);
    const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(body.length, 4);
    return Buffer.concat([head, body]);
  };
  const texts = (pieces: readonly Uint8Array[]): string[] => pieces.map((piece) => String(piece));

  it('is read once, wherever it is cut and wherever reading goes on', () => {
    const plays = fc.record({
      // How much later each message came than the one before: often not at all.
      steps: fc.array(fc.constantFrom(0, 0, 1, 999, 1000), { minLength: 1, maxLength: 30 }),
      cut: fc.nat(),
      pieceBytes: fc.integer({ min: 1, max: 200 }),
    });
    void fc.assert(
      fc.property(plays, ({ steps, cut, pieceBytes }) => {
        let at = 1_700_000_000_000;
        const messages = steps.map((step, index) => {
          at += step;
          return { at, frame: frame(at, `${index}\n`) };
        });
        const first = messages.slice(0, cut % (messages.length + 1));
        const before = new OutputReader(beginning);
        const seen = texts(before.read(Buffer.concat(first.map((each) => each.frame))));
        const { position } = before;
        // The engine answers with everything from that very instant on.
        const from = first.at(-1)?.at ?? 0;
        const rest = Buffer.concat(
          messages.filter((each) => each.at >= from).map((each) => each.frame),
        );
        const after = new OutputReader(position);
        for (let start = 0; start < rest.length; start += pieceBytes) {
          seen.push(...texts(after.read(rest.subarray(start, start + pieceBytes))));
        }
        expect(seen).toEqual(messages.map((_, index) => `${index}\n`));
      }),
    );
  });

  it('is asked for from an instant down to the nanosecond', () => {
    expect(sinceOf(beginning)).toBeUndefined();
    const at = '2026-11-22T03:41:49.000000841Z';
    expect(sinceOf({ at, same: 1 })).toBe('1795318909.000000841');
  });

  it('that is none is refused instead of kept in memory', () => {
    const reader = new OutputReader(beginning);
    expect(() => reader.read(Buffer.from('{"message":"no such container"}'))).toThrow(
      'not the output of a container',
    );
  });
});

it('measures processors between two questions, and memory without files', () => {
  const startedAt = Date.parse('2026-11-22T03:00:00Z');
  const meter = new UsageMeter(startedAt);
  const stats = (seconds: number, cpuSeconds: number) =>
    // The few fields that are read.
    ({
      read: new Date(startedAt + seconds * 1000).toISOString(),
      cpu_stats: { cpu_usage: { total_usage: cpuSeconds * 1e9 } },
      memory_stats: { usage: 5000, stats: { inactive_file: 1500 } },
    }) as Parameters<UsageMeter['read']>[0];
  expect(meter.read(stats(10, 5))).toEqual({ cpuCores: 0.5, memoryBytes: 3500 });
  expect(meter.read(stats(12, 8))).toEqual({ cpuCores: 1.5, memoryBytes: 3500 });
  expect(meter.read(stats(12, 8))).toBeUndefined();
});
