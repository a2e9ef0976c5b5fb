// How commands find their server, and what they write.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Context, findServer } from '../../src/cli/context.ts';
import { Output } from '../../src/cli/output.ts';
import { writeServerFile } from '../../src/config/server-file.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function context(environment: Record<string, string> = {}): Context {
  const terminal = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
  };
  return {
    terminal,
    output: new Output(terminal),
    environment: { HOME: home, ...environment },
    clock: systemClock,
    random: systemRandom,
    interrupted: new AbortController().signal,
  };
}

function command(...args: string[]): Command {
  const root = new Command()
    .option('--url <url>')
    .option('--token <token>')
    .option('-c, --credentials <file>');
  const child = root.command('ls');
  root.parse(['ls', ...args], { from: 'user' });
  return child;
}

const servers = () => join(home, '.config', 'sluice', 'servers');

describe('a command finds its server', () => {
  test('by flags before the environment, by the environment before the files', async () => {
    await writeServerFile(servers(), { url: 'http://127.0.0.1:8600', token: 'of-file' });
    const environment = { SLUICE_URL: 'http://b:1', SLUICE_TOKEN: 'of-environment' };
    expect(await findServer(context(environment), command('--url', 'http://a:1'))).toEqual({
      url: 'http://a:1',
      token: 'of-environment',
    });
    expect(await findServer(context(environment), command())).toEqual({
      url: 'http://b:1',
      token: 'of-environment',
    });
    expect(await findServer(context(), command('--token', 'mine'))).toEqual({
      url: 'http://127.0.0.1:8600',
      token: 'mine',
    });
  });

  test('at the default port, else the only one, else it asks which', async () => {
    await expect(findServer(context(), command())).rejects.toThrow(/sluice serve/);
    await writeServerFile(servers(), { url: 'http://127.0.0.1:9001', token: 'one' });
    expect((await findServer(context(), command())).token).toBe('one');
    await writeServerFile(servers(), { url: 'http://127.0.0.1:9002', token: 'two' });
    await expect(findServer(context(), command())).rejects.toThrow(/9001.*9002/);
    const chosen = await findServer(context(), command('--url', 'http://127.0.0.1:9002/'));
    expect(chosen.token).toBe('two');
    await writeServerFile(servers(), { url: 'http://127.0.0.1:8600', token: 'usual' });
    expect((await findServer(context(), command())).token).toBe('usual');
  });

  test('never sends a token of a file to another address', async () => {
    await writeServerFile(servers(), { url: 'http://127.0.0.1:8600', token: 'secret' });
    const elsewhere = command('--url', 'http://elsewhere:8600');
    await expect(findServer(context(), elsewhere)).rejects.toThrow(/no token for/);
    await expect(findServer(context(), command('--url', 'ftp://x'))).rejects.toThrow(/no address/);
  });

  test('by a file of credentials, whose token goes to its address alone', async () => {
    const file = join(home, 'prod.json');
    writeFileSync(file, '{"url": "http://prod:1", "token": "of-prod"}');
    const environment = { SLUICE_URL: 'http://b:1', SLUICE_TOKEN: 'of-environment' };
    expect(await findServer(context(environment), command('-c', file))).toEqual({
      url: 'http://prod:1',
      token: 'of-prod',
    });
    const elsewhere = command('-c', file, '--url', 'http://c:1');
    expect((await findServer(context(environment), elsewhere)).token).toBe('of-environment');
    await expect(findServer(context(), elsewhere)).rejects.toThrow(/no token for/);
    for (const text of ['{"token": "secret"', '{"url": "x", "token": "secret"}', '7']) {
      writeFileSync(file, text);
      const refused = findServer(context(), command('-c', file));
      await expect(refused).rejects.toThrow(`${file} is no file such as {"url"`);
    }
    const missing = command('-c', join(home, 'missing'));
    await expect(findServer(context(), missing)).rejects.toThrow('there is no such file');
  });

  test('passing over damaged files and those of servers that are gone', async () => {
    await writeServerFile(servers(), { url: 'http://127.0.0.1:9001', token: 'alive' });
    writeFileSync(join(servers(), 'broken.json'), '{');
    const gone = { url: 'http://127.0.0.1:9002', token: 'x', pid: 2 ** 22 + 1, host: hostname() };
    writeFileSync(join(servers(), '127.0.0.1_9002.json'), JSON.stringify(gone));
    expect((await findServer(context(), command())).token).toBe('alive');
  });
});

describe('output', () => {
  test('keeps results and remarks apart, and writes JSON when told', () => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const output = new Output({ stdin: new PassThrough(), stdout, stderr });
    output.note('a remark');
    output.progress('waiting');
    output.result({ a: 1 }, () => ['for people']);
    output.useJson();
    output.record({ a: 1 }, () => ['for people']);
    expect(String(stdout.read())).toBe('for people\n{"a":1}\n');
    expect(String(stderr.read())).toBe('a remark\nwaiting\n');
  });

  test('shows on a terminal only what can be taken back of what is waited for', () => {
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 10 });
    const output = new Output({ stdin: new PassThrough(), stdout: new PassThrough(), stderr });
    output.progress('waiting for long', ' (1 s)');
    output.ok('done');
    expect(String(stderr.read())).toBe('\r\u001b[2Kwaiting f\r\u001b[2K');
  });

  test('tells steps that are done to people, and beside JSON', () => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const output = new Output({ stdin: new PassThrough(), stdout, stderr });
    output.ok('Service is running');
    output.useJson();
    output.ok('Service is running');
    expect(String(stdout.read())).toBe('[OK] Service is running\n');
    expect(String(stderr.read())).toBe('[OK] Service is running\n');
  });
});
