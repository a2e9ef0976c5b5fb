// A model from elsewhere, from service.json to results: one download for all instances, how far it
// is, what is said when it is wrong; and what runs on over a killed server keeps its files.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bytesOf } from './blobs-world.ts';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';
import { Origin } from './models-world.ts';

/** Reads a file beside it when it is called, long after it was loaded. */
const program = `
import { readFileSync } from 'node:fs';
const factor = new URL('factor.txt', import.meta.url);
export const predict = ({ x }) => x * Number(readFileSync(factor, 'utf8'));
`;

let world: CommandWorld;
let origin: Origin;
let server: RunningCommand;
let url: string;
let token: string;
const models = (): string => join(world.home, 'data', 'models');

async function serve(...flags: readonly string[]): Promise<void> {
  const data = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data, ...flags], {
    environment: { DOCKER_HOST: `unix://${world.home}/no-such-socket` },
  });
  url = (await server.says(/on (http:\S+)\n[\s\S]*Ready/))[1] ?? '';
  token = readFileSync(join(data, 'admin/token'), 'utf8').trim();
}

async function api(path: string, body?: string): Promise<string> {
  const json = { 'content-type': 'application/json', prefer: 'wait=25' };
  const headers = { authorization: `Bearer ${token}`, ...json };
  const how = body === undefined ? {} : { method: 'POST', body };
  const response = await fetch(`${url}/v1/services${path}`, { headers, ...how });
  return response.text();
}

interface Row {
  readonly state: string;
  readonly message: string;
  readonly pid: number;
}

async function instances(name: string): Promise<readonly Row[]> {
  return JSON.parse(await api(`/${name}/instances`)) as readonly Row[];
}

const declaration = (name: string, fields: object): string =>
  JSON.stringify({
    metadata: { name, type: 'Async', instance: 2 },
    processor: 'node',
    processor_entry: 'app/model.mjs',
    ...fields,
  });

beforeAll(async () => {
  world = openCommandWorld();
  const app = join(world.home, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'model.mjs'), program);
  writeFileSync(join(app, 'factor.txt'), '3');
  // Not to be packed: most of it is still to come when its first half is here.
  writeFileSync(join(app, 'weights.bin'), bytesOf(2_000_000));
  const packed = join(world.home, 'app.tgz');
  execFileSync('tar', ['-czf', packed, '-C', world.home, 'app']);
  origin = await Origin.open(readFileSync(packed));
});
afterAll(async () => {
  await world.close();
  await origin.close();
});

it('fetches it once for all instances, and says how far it is', async () => {
  const half = origin.bytes.length / 2;
  let waiting: ServerResponse | undefined;
  origin.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': origin.bytes.length, etag: origin.etag });
    response.write(origin.bytes.subarray(0, half));
    waiting = response;
  };
  const file = join(world.home, 'triples.json');
  writeFileSync(file, declaration('triples', { processor_path: `${origin.url}/app.tgz` }));
  await serve('--model-allow', '127.0.0.0/8', '--service', file);
  const said = /^(0\.\d|1\.0) of 2\.0 MB \(\d+ %\)$/;
  await expect
    .poll(async () => (await instances('triples')).map(({ message }) => message))
    .toEqual([expect.stringMatching(said), expect.stringMatching(said)]);
  expect((await instances('triples')).map(({ state }) => state)).toEqual(['Pulling', 'Pulling']);
  waiting?.end(origin.bytes.subarray(half));
  expect(await api('/triples/requests', '{"x": 14}')).toBe('42');
  expect(origin.asked).toEqual(['/app.tgz']);
});

it('keeps what a process of a killed server uses, whatever else needs room', async () => {
  const pids = new Set((await instances('triples')).map(({ pid }) => pid));
  const [model = ''] = readdirSync(models());
  server.child.kill('SIGKILL');
  await server.ended;
  // Another one lies there by now, and there is room for one.
  origin.bytes = Buffer.concat([origin.bytes, Buffer.alloc(512)]);
  origin.etag = '"two"';
  origin.answer = origin.serve.bind(origin);
  await serve('--model-allow', '127.0.0.0/8', '--limit', 'models.bytesMax=4300000');
  expect(await api('/triples/requests', '{"x": 5}')).toBe('15');
  expect(new Set((await instances('triples')).map(({ pid }) => pid))).toEqual(pids);
  await api('', declaration('other', { processor_path: `${origin.url}/app.tgz` }));
  await expect
    .poll(async () => (await instances('other'))[0]?.message)
    .toContain('models that are in use leave no room');
  expect(existsSync(join(models(), model, 'content/app/app/factor.txt'))).toBe(true);
  expect(await api('/triples/requests', '{"x": 6}')).toBe('18');
});

it('says what is wrong with it, and does not start over and over', async () => {
  const wrong = { model_path: `${origin.url}/wrong`, model_checksum: `sha256:${'0'.repeat(64)}` };
  await api('', declaration('wrong', wrong));
  await expect
    .poll(async () => (await instances('wrong'))[0]?.message)
    .toMatch(
      /\/wrong has the checksum sha256:[^,]*, not model_checksum .*, starts again in [45]\d s/,
    );
  expect(origin.asked.filter((asked) => asked === '/wrong')).toEqual(['/wrong']);
});
