// Model servers in containers of a real Docker Engine: what they are given, how they end, and what
// is said of it.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { WorkNote } from '@sluice/sdk/wire';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HealthCheck } from '../../src/deployment/instances.ts';
import type { Ending } from '../../src/instances/driver.ts';
import { probe } from '../../src/instances/probe.ts';
import { endingText } from '../../src/instances/reasons.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { ContainerReports } from '../../src/worker/container-reports.ts';
import type { ReportedCall } from '../../src/worker/report-desk.ts';
import { engineProblem, startEngine, type TestEngine } from '../docker/engine.ts';
import { busyboxImage, loadBusybox } from '../docker/images.ts';
import { ContainerWorld, page, readAll, script } from './container-world.ts';

const clock = systemClock;

describe.skipIf(engineProblem !== undefined)('a copy in a container', () => {
  let engine: TestEngine;
  let world: ContainerWorld;

  beforeAll(async () => {
    engine = await startEngine();
    await loadBusybox(engine);
  });
  afterAll(() => engine?.stop());
  beforeEach(async () => {
    world = await ContainerWorld.open(engine);
  });
  afterEach(() => world.close());

  const containers = (): Promise<readonly { readonly Id: string }[]> =>
    engine.docker.listContainers({ all: true });
  const check = (more: Partial<HealthCheck>): HealthCheck => ({
    probe: { kind: 'tcp' },
    port: undefined,
    initialDelayMs: 0,
    periodMs: 100,
    timeoutMs: 2000,
    successThreshold: 1,
    failureThreshold: 3,
    ...more,
  });

  /**
   * containerd 1.6 drops the word that memory ran out when the container is gone before it has read
   * it (`process` in its pkg/oom/v1); a busy machine may need more than one container to hear it.
   */
  async function endingToldOfMemory(command: string, resources: object): Promise<Ending> {
    for (let attempt = 1; ; attempt += 1) {
      const ending = await world.outcome({ ...script(command), resources });
      if (ending.outOfMemory === true || attempt === 4) return ending;
    }
  }

  it('reports to this machine over the network of its engine, and nobody else does', async () => {
    const reports = new ContainerReports({ random: systemRandom, log: silentLog });
    const other = new ContainerWorld(world.folder, engine.host, { reports });
    try {
      const running = await other.serve();
      const environment = await page(running, '/cgi-bin/environment');
      const base = /^SLUICE_REPORT_URL=(.+)$/m.exec(environment)?.[1] ?? '';
      const heard: WorkNote[] = [];
      const call: ReportedCall = {
        report: (notes) => void heard.push(...notes),
        keep: async () => undefined,
        checkpoint: async () => Buffer.from('step 4'),
      };
      const addresses = reports.of('reader-aaaaa');
      const url = addresses.open(call) ?? '';
      expect(url.startsWith(`${base}/`)).toBe(true);
      const [{ Id: id } = { Id: '' }] = await engine.docker.listContainers();
      const wget = async (...args: readonly string[]): Promise<string> => {
        const Cmd = ['wget', '-q', '-O', '-', ...args];
        const inside = engine.docker.getContainer(id);
        const exec = await inside.exec({ Cmd, AttachStdout: true, AttachStderr: true });
        return String(Buffer.concat(await (await exec.start({})).toArray()));
      };
      await wget('--post-data', '{"percent": 40}', url);
      expect(heard).toEqual([{ kind: 'percent', value: 40 }]);
      expect(await wget(`${url}/checkpoint`)).toContain('step 4');
      expect(await wget(base)).toContain('404');
      // From another network, were it routed here.
      const { hostname: host, port, pathname: path } = new URL(url);
      const stranger = request({ host, port, path, method: 'POST', localAddress: '127.0.0.1' });
      stranger.end('{"percent": 50}');
      await expect(once(stranger, 'response')).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(heard).toHaveLength(1);
      addresses.close(url);
      expect(await wget('--post-data', '{"percent": 60}', url)).toContain('404');
    } finally {
      await other.close();
      await reports.stop();
    }
  });

  it('gets no report address where its network is not of this machine', async () => {
    const reports = new ContainerReports({ random: systemRandom, log: silentLog });
    const network = { gateway: '203.0.113.7', subnet: '203.0.113.0/24' };
    expect(await reports.baseOf('reader-aaaaa', network)).toMatchObject({
      ok: false,
      why: expect.stringContaining('EADDRNOTAVAIL'),
    });
    expect(await page(await world.serve(), '/cgi-bin/environment')).not.toContain('REPORT');
    await reports.stop();
  });

  it('answers at a port of loopback alone, and knows who it is', async () => {
    const running = await world.serve({ source: { env: { GREETING: "it's $HOME" } } });
    const lines = (await page(running, '/cgi-bin/environment')).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        "GREETING=it's $HOME",
        'PORT=8000',
        'HOST=0.0.0.0',
        'SLUICE_SERVICE=reader',
        'SLUICE_INSTANCE=reader-aaaaa',
      ]),
    );
    const listening = execFileSync('ss', ['-tlnH'], { encoding: 'utf8' });
    const addresses = listening.match(new RegExp(`\\S+:${running.port}(?= )`, 'g'));
    expect(addresses).toEqual([`127.0.0.1:${running.port}`]);
    expect(running.pid).toBeGreaterThan(1);
  });

  it('is removed after its end, its log kept', async () => {
    const running = await world.start(script('echo one; echo two >&2; sleep 0.1; echo three'));
    expect(await running.ended).toMatchObject({ code: 0, problem: undefined });
    await running.stop(0);
    expect(await containers()).toEqual([]);
    expect((await world.text()).split('\n').sort()).toEqual(['', 'one', 'three', 'two']);
    expect((await world.driver.lastLines('reader-aaaaa', 1))[0]).toBe('three');
  });

  it('runs what the image says, a list as it is, or a text by the shell', async () => {
    const run = ['/bin/echo', 'a  b', '$PORT'];
    await world.outcome({ source: { run } });
    expect(await world.text()).toBe('a  b $PORT\n');
    await world.outcome(script('cd /tmp; pwd\necho "$PORT"'));
    expect(await world.text()).toBe('a  b $PORT\n/tmp\n8000\n');
    const image = 'local/speaking:1';
    await engine.docker.getImage(busyboxImage).tag({ repo: 'local/speaking', tag: '1' });
    const ending = await world.outcome({ source: { image, run: undefined, workDir: '/www' } });
    expect(ending.problem).toMatch(/^cannot be started: No command specified/);
  });

  it('has its folder, shared memory and mounts, of which one may not be written to', async () => {
    const here = join(world.folder, '../data');
    await mkdir(here);
    await writeFile(join(here, 'weights'), 'x');
    const mounts = [{ from: here, to: '/mounted', readOnly: true }];
    const shmBytes = 96 * 2 ** 20;
    const running = await world.serve({ source: { mounts, shmBytes, workDir: '/www' } });
    const text = await page(running, '/cgi-bin/limits');
    expect(text).toMatch(/ 98304 .*\/dev\/shm/);
    expect(text).toContain('weights');
    expect(text).toMatch(/new: Read-only file system/);
    const missing = [{ from: join(here, 'no'), to: '/mounted', readOnly: true }];
    const ending = await world.outcome({ instance: 'reader-bbbbb', source: { mounts: missing } });
    expect(ending).toMatchObject({
      problem: `the folder ${join(here, 'no')} of storage does not exist`,
      isFinal: true,
    });
  });

  it('is given the processors and accelerators it was promised', async () => {
    const running = await world.start({ resources: { cpuMillis: 500, memoryBytes: 32 * 2 ** 20 } });
    const [found] = await containers();
    const { HostConfig: limits, Config: config } = await engine.docker
      .getContainer(found?.Id ?? '')
      .inspect();
    expect(limits).toMatchObject({
      NanoCpus: 500_000_000,
      Memory: 32 * 2 ** 20,
      MemorySwap: 32 * 2 ** 20,
      RestartPolicy: { Name: 'no' },
      Init: true,
    });
    expect(config.Labels).toMatchObject({ 'sluice.service': 'reader', 'sluice.key': '7.3' });
    await running.stop(0);
    // There is none here: that it is asked for is what the engine complains of.
    const ending = await world.outcome({ devices: [1], resources: { gpus: 1 } });
    expect(ending.problem).toMatch(/^the Docker Engine cannot hand out accelerators/);
  });

  it('that uses more memory than it may is said to have been ended for that', async () => {
    const resources = { memoryBytes: 32 * 2 ** 20 };
    const greedy = 'dd if=/dev/zero of=/dev/null bs=100M count=1';
    const ending = await endingToldOfMemory(`exec ${greedy}`, resources);
    expect(ending).toMatchObject({ code: 137, outOfMemory: true });
    expect(endingText(ending)).toBe('was ended by the system: out of memory (limit 32 MB)');
    const after = await endingToldOfMemory(`${greedy}; usleep 300000; exit 3`, resources);
    expect(endingText(after)).toBe(
      'ended with code 3, after the system had ended a program in it: out of memory (limit 32 MB)',
    );
  });

  it('that somebody kills is known to have ended at once', async () => {
    const running = await world.serve();
    const at = clock.now().mono;
    process.kill(running.pid ?? 0, 'SIGKILL');
    const ending = await running.ended;
    expect(clock.now().mono - at).toBeLessThan(3000);
    expect(endingText(ending)).toMatch(/^ended with code 137 \(signal 9\): killed from/);
  });

  it('that somebody removes has ended too', async () => {
    const running = await world.serve();
    const [found] = await containers();
    await engine.docker.getContainer(found?.Id ?? '').remove({ force: true });
    expect(await running.ended).toMatchObject({ problem: undefined });
    await running.stop(1000);
  });

  it('has its time to end, with all that it has started', async () => {
    const inner = 'trap "sleep 0.3; echo done; exit 5" TERM; echo up; while :; do sleep 0.05; done';
    const running = await world.start(script(`sh -c '${inner}'; echo next`));
    await world.written((text) => text === 'up\n');
    await running.stop(5000);
    expect((await running.ended).code).toBe(143);
    // The outer shell tells of the inner one's end.
    expect(await world.text()).toMatch(/^up\n(Terminated\n)?done\n$/);
  });

  it('is killed when its time is over, or when that is made shorter', async () => {
    const deaf = script(`trap '' TERM; echo deaf; while :; do sleep 0.05; done`);
    const running = await world.start(deaf);
    await world.written((text) => text.includes('deaf'));
    const at = clock.now().mono;
    await running.stop(300);
    expect((await running.ended).code).toBe(137);
    expect(clock.now().mono - at).toBeGreaterThan(290);
    const second = await world.start(deaf);
    await world.written((text) => text === 'deaf\ndeaf\n');
    const stopped = second.stop(60_000);
    await second.stop(10);
    await stopped;
    const third = await world.start(deaf);
    await world.written((text) => text === 'deaf\ndeaf\ndeaf\n');
    const slow = third.stop(60_000);
    third.kill();
    await slow;
    expect(await containers()).toEqual([]);
  });

  it('that is paused can be ended', async () => {
    const running = await world.serve();
    const [found] = await containers();
    await engine.docker.getContainer(found?.Id ?? '').pause();
    await running.stop(50);
    expect(await containers()).toEqual([]);
  });

  it('is not ready because the proxy in front of it accepts', async () => {
    const slow = await world.start(script('sleep 1000'));
    const signal = new AbortController().signal;
    const late = { ok: false, reason: 'nothing listens on port 8000' };
    expect(await probe(check({}), slow, { clock, signal })).toMatchObject(late);
    const path = { kind: 'http', path: '/' } as const;
    expect(await probe(check({ probe: path }), slow, { clock, signal })).toMatchObject(late);
    const ready = await world.serve({ instance: 'reader-bbbbb' });
    for (const port of [undefined, 8000]) {
      expect(await probe(check({ port }), ready, { clock, signal })).toMatchObject({ ok: true });
      const answer = await probe(check({ port, probe: path }), ready, { clock, signal });
      expect(answer).toMatchObject({ ok: true });
    }
  });

  it('may be checked at another port than the one that is published', async () => {
    const running = await world.serve(script('httpd -p 9001 -h /www; httpd -f -p $PORT -h /www'));
    const signal = new AbortController().signal;
    const other = check({ port: 9001, probe: { kind: 'http', path: '/' } });
    expect(await probe(other, running, { clock, signal })).toMatchObject({ ok: true });
    const closed = await probe(check({ port: 9002 }), running, { clock, signal });
    expect(closed).toMatchObject({ ok: false, reason: 'nothing listens on port 9002' });
  });

  it('runs commands inside for its health check, one at a time', async () => {
    const running = await world.serve({ source: { workDir: '/www', env: { A: 'b' } } });
    const exec = running.exec;
    if (exec === undefined) throw new Error('commands can be run in containers');
    const { signal } = new AbortController();
    const test = ['sh', '-c', 'test -f index.html && test "$A" = b'];
    expect(await exec(test, signal)).toMatchObject({ ok: true });
    expect(await exec(['false'], signal)).toEqual({ ok: false, reason: 'false ended with code 1' });
    expect((await exec(['nowhere'], signal)).ok).toBe(false);
    const late = new AbortController();
    const hanging = exec(['sleep', '1000'], late.signal);
    late.abort();
    expect(await hanging).toEqual({ ok: false, reason: 'not waited for' });
    const next = await exec(['true'], signal);
    expect(next).toEqual({ ok: false, reason: 'true: the check before still runs' });
  });

  it('tells what it uses', async () => {
    const running = await world.start(script('while :; do :; done'));
    const first = await world.driver.usage('reader-aaaaa');
    expect(first?.memoryBytes).toBeGreaterThan(10_000);
    // The engine measures once a second.
    const usage = await world.driver.usage('reader-aaaaa');
    expect(usage?.cpuCores).toBeGreaterThan(0.05);
    expect(usage?.cpuCores).toBeLessThan(1.5);
    await running.stop(0);
    expect(await world.driver.usage('reader-aaaaa')).toBeUndefined();
  });

  it('that is not wanted any more before it runs leaves nothing', async () => {
    const abort = new AbortController();
    abort.abort();
    const ending = await world.outcome({ signal: abort.signal });
    expect(ending.problem).toBe('is not wanted any more');
    expect(await containers()).toEqual([]);
  });

  it('that cannot be begun leaves nothing but what is said of it', async () => {
    const ending = await world.outcome({ devices: [0] });
    expect(ending.problem).toMatch(/^the Docker Engine cannot hand out accelerators/);
    expect(await containers()).toEqual([]);
    expect((await readdir(world.folder)).filter((name) => name.endsWith('.at'))).toEqual([]);
  });

  it('has a log that is followed, cut at its limit, and keeps lines as they are', async () => {
    const small = await ContainerWorld.open(engine, 20_000);
    const line = 'x'.repeat(99);
    const long = 'y'.repeat(40_000);
    const loop = `i=0; while [ $i -lt 600 ]; do echo ${line}; i=$((i+1)); done`;
    const running = await small.start(script(`echo ${long}; ${loop}; echo end`));
    const follow = { tail: undefined, follow: true, signal: undefined };
    const end = readAll(small.driver.logs('reader-aaaaa', follow));
    await running.ended;
    await running.stop(0);
    await small.driver.forget('reader-aaaaa');
    expect(await end).toMatch(/x\nend\n$/);
    const kept = await small.text();
    expect(kept.length).toBeLessThan(2 * 20_000 + 70_000);
    // The oldest line that is kept may have lost its beginning.
    const [, ...whole] = kept.split('\n');
    expect(whole.filter((each) => each !== line && each !== long)).toEqual(['end', '']);
    await small.close();
  });

  it('waits for an engine, says where it looks for one, and finds it when it comes', async () => {
    const path = join(world.folder, 'none.sock');
    const away = new ContainerWorld(world.folder, `unix://${path}`);
    const why = `no Docker Engine answers at ${path}: there is no such socket`;
    expect(await away.driver.problem()).toBe(why);
    expect((await away.outcome({})).problem).toBe(why);
    expect(await world.driver.problem()).toBeUndefined();
    await mkdir(world.folder, { recursive: true });
    await symlink(engine.socket, path);
    expect(await away.driver.problem()).toBeUndefined();
    await page(await away.start(), '');
    await away.close();
  });
});
