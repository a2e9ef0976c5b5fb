// Sluice's own settings, its admin token and the file of a running server.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { isLoopback, parseAddress, showAddress } from '../../src/config/address.ts';
import { ensureAdminToken } from '../../src/config/admin-token.ts';
import { parseDuration, showDuration } from '../../src/config/duration.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/mistakes.ts';
import { settingDescriptions } from '../../src/config/schema.ts';
import {
  readServerFiles,
  removeServerFile,
  writeServerFile,
} from '../../src/config/server-file.ts';
import { systemRandom } from '../../src/kernel/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(
  flags: Record<string, unknown>,
  environment: Record<string, string> = {},
  file?: string,
) {
  return loadConfig({ flags, environment: { HOME: '/home/someone', ...environment }, file });
}

function mistakes(...input: Parameters<typeof load>): readonly string[] {
  try {
    load(...input);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('settings', () => {
  test('have defaults that keep a server on this machine', () => {
    expect(load({})).toMatchObject({
      dataFolder: '/home/someone/.local/share/sluice',
      listen: { host: '127.0.0.1', port: 8600 },
      engine: 'lmdb',
      stopTimeoutMs: 30_000,
      plaintext: false,
    });
  });

  test('say what the machine has for instances, or leave it to be measured', () => {
    expect(load({}).capacity).toEqual({});
    expect(load({ capacity: 'cpu=2,gpu=1' }).capacity).toEqual({ cpuMillis: 2000, gpus: 1 });
    expect(mistakes({}, { SLUICE_CAPACITY: 'cpu=lots' })).toEqual([
      'capacity: cpu is a number of cores such as 8 or 1.5, not "lots"',
    ]);
  });

  test('take flags over environment over file', () => {
    const file = join(folder, 'settings.json');
    writeFileSync(
      file,
      `{
        // a comment
        "listen": "127.0.0.1:1", "engine": "memory", "stop_timeout": "5s",
      }`,
    );
    const environment = { SLUICE_LISTEN: '127.0.0.1:2', SLUICE_STOP_TIMEOUT: '6s' };
    const config = load({ listen: '127.0.0.1:3', engine: undefined }, environment, file);
    expect(config.listen.port).toBe(3);
    expect(config.stopTimeoutMs).toBe(6000);
    expect(config.engine).toBe('memory');
  });

  test('split lists in the environment at commas', () => {
    const config = load({}, { SLUICE_ALLOW_ORIGIN: 'https://a.example, https://b.example' });
    expect(config.allowOrigins).toEqual(['https://a.example', 'https://b.example']);
  });

  test('show all mistakes at once, each with its key', () => {
    const found = mistakes({ listen: 'nowhere', stop_timeout: 'soon', engine: 'redis' });
    expect(found.map((mistake) => mistake.split(':')[0]).sort()).toEqual([
      'engine',
      'listen',
      'stop_timeout',
    ]);
  });

  test('refuse an unknown key of the file and name the near one', () => {
    const file = join(folder, 'typo.json');
    writeFileSync(file, '{"stopTimeout": "5s"}');
    expect(mistakes({}, {}, file)).toEqual([
      'stopTimeout: no such setting (did you mean stop_timeout?)',
    ]);
  });

  test('pass over variables that Kubernetes makes for a service called sluice', () => {
    expect(load({}, { SLUICE_PORT: 'tcp://10.0.0.1:80', SLUICE_SERVICE_HOST: 'x' })).toBeTruthy();
  });

  test('refuse to listen beyond loopback without TLS or an explicit word', () => {
    expect(mistakes({ listen: '0.0.0.0:8600' })[0]).toMatch(/--plaintext/);
    expect(mistakes({ root_queue: ['a=0.0.0.0:3030'] })[0]).toMatch(/--plaintext/);
    expect(mistakes({ listen: '0.0.0.0:8600', plaintext: true })).toEqual([]);
    expect(mistakes({ tls_cert: 'only.pem' })[0]).toMatch(/both or neither/);
  });

  test('are frozen and print secrets as stars', () => {
    const config = load({}, { SLUICE_ADMIN_TOKEN: 'a-very-secret-word' });
    expect(Object.isFrozen(config) && Object.isFrozen(config.listen)).toBe(true);
    expect(`${JSON.stringify(config)}${inspect(config)}${config.adminToken}`).not.toContain('word');
    expect(config.adminToken?.reveal()).toBe('a-very-secret-word');
  });

  test('are all described, and secrets have no flag', () => {
    for (const each of settingDescriptions) expect(each.sentence).toMatch(/^[A-Z].*\.$/s);
    const token = settingDescriptions.find((each) => each.key === 'admin_token');
    expect(token).toMatchObject({ flag: undefined, variable: 'SLUICE_ADMIN_TOKEN' });
  });
});

test('addresses are read in every common spelling', () => {
  expect(parseAddress('[::1]:80')).toEqual({ host: '::1', port: 80 });
  expect(parseAddress('8600')).toEqual({ host: '127.0.0.1', port: 8600 });
  expect(parseAddress(':8600')).toEqual({ host: '::', port: 8600 });
  expect(parseAddress('a.example:70000')).toBeUndefined();
  expect(parseAddress('::1:80')).toBeUndefined();
  expect(showAddress({ host: '::1', port: 80 })).toBe('[::1]:80');
});

test('only addresses of this machine are loopback', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1']) {
    expect(isLoopback(host), host).toBe(true);
  }
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', 'localhost.example.com']) {
    expect(isLoopback(host), host).toBe(false);
  }
});

test('durations are read and shown', () => {
  expect(['30s', '1m30s', '500ms', '1.5h', '5', '0'].map(parseDuration)).toEqual([
    30_000, 90_000, 500, 5_400_000, 5000, 0,
  ]);
  expect(['', 's', '5 s', '5x', '-1s'].map(parseDuration)).toEqual(Array(5).fill(undefined));
  expect([850, 4200, 200_000, 7_500_000].map(showDuration)).toEqual([
    '850 ms',
    '4.2 s',
    '3 m 20 s',
    '2 h 5 m',
  ]);
});

describe('the admin token', () => {
  test('is made once, for its owner only', async () => {
    const place = join(folder, 'admin');
    const [first, same] = await Promise.all([
      ensureAdminToken(place, systemRandom),
      ensureAdminToken(place, systemRandom),
    ]);
    expect(first.token.reveal()).toMatch(/^[0-9a-f]{64}$/);
    expect(same.token.reveal()).toBe(first.token.reveal());
    expect(statSync(place).mode & 0o777).toBe(0o700);
    expect(statSync(join(place, 'token')).mode & 0o777).toBe(0o600);
  });

  test('that others could read is closed to them and reported', async () => {
    const place = join(folder, 'exposed');
    await ensureAdminToken(place, systemRandom);
    chmodSync(join(place, 'token'), 0o644);
    expect((await ensureAdminToken(place, systemRandom)).wasExposed).toBe(true);
    expect((await ensureAdminToken(place, systemRandom)).wasExposed).toBe(false);
  });
});

describe('the file of a running server', () => {
  test('is private, found, and removed by the process that wrote it', async () => {
    const place = join(folder, 'servers');
    const file = await writeServerFile(place, { url: 'http://127.0.0.1:8600', token: 't' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await readServerFiles(place)).toMatchObject([{ url: 'http://127.0.0.1:8600' }]);
    await removeServerFile(file);
    expect(await readServerFiles(place)).toEqual([]);
  });

  test('is passed over when its process is gone, and left alone by others', async () => {
    const place = join(folder, 'stale');
    const file = await writeServerFile(place, { url: 'http://127.0.0.1:8600', token: 't' });
    const entry = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...entry, pid: 2 ** 22 + 1 }));
    expect(await readServerFiles(place)).toEqual([]);
    await removeServerFile(file);
    expect(readFileSync(file, 'utf8')).toContain('8600');
  });
});
