// A whole service with an image, by the commands that people use: created, asked, killed, taken
// over by the next server, deleted.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineProblem, startEngine, type TestEngine } from '../docker/engine.ts';
import { loadNode, nodeImage } from '../docker/images.ts';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';
import { modelScript } from './process-world.ts';

interface Seen {
  readonly kind: string;
  readonly state: string;
  readonly pid: number;
  readonly message: string;
  readonly restarts: number;
  readonly lastExit: { readonly reason: string; readonly lines: readonly string[] } | null;
}

describe.skipIf(engineProblem !== undefined)('a service with an image', () => {
  let engine: TestEngine;
  let world: CommandWorld;
  let server: RunningCommand;

  beforeAll(async () => {
    engine = await startEngine();
    await loadNode(engine, { '/app/model.mjs': modelScript });
    world = openCommandWorld();
    server = await serve();
    writeFileSync(
      join(world.home, 'service.json'),
      JSON.stringify({
        metadata: { name: 'reader', type: 'Async', instance: 1, memory: 256, cpu: 1 },
        containers: [{ image: nodeImage, script: 'node /app/model.mjs', port: 8000 }],
      }),
    );
  });
  afterAll(async () => {
    await world?.close();
    await engine?.stop();
  });

  async function serve(): Promise<RunningCommand> {
    const data = join(world.home, 'data');
    const started = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data], {
      environment: { DOCKER_HOST: engine.host },
    });
    await started.says(/Ready/);
    return started;
  }

  const containers = async (): Promise<readonly string[]> =>
    (await engine.docker.listContainers({ all: true })).map(({ Id: id }) => id);

  async function ask(body: string): Promise<string> {
    return (await world.run(['put', 'reader', '--wait', '--data', body])).stdout;
  }

  async function instance(): Promise<Seen | undefined> {
    const { stdout } = await world.run(['desc', 'reader', '--json']);
    const { instanceList }: { readonly instanceList: readonly Seen[] } = JSON.parse(stdout);
    return instanceList[0];
  }

  it('runs in a container and answers', async () => {
    const created = await world.run(['create', join(world.home, 'service.json')]);
    expect(created.stdout).toMatch(/\[OK\] Service is running\n$/);
    expect(await ask('one')).toBe('echo one');
    expect(await instance()).toMatchObject({ kind: 'container', state: 'Running' });
    const environment = JSON.parse(await ask('environment'));
    expect(environment).toMatchObject({ PORT: '8000', SLUICE_SERVICE: 'reader' });
    expect(environment.DOCKER_HOST).toBeUndefined();
  });

  it('goes on after somebody has killed its container, and says what happened', async () => {
    const before = await containers();
    process.kill((await instance())?.pid ?? 0, 'SIGKILL');
    expect(await ask('two')).toBe('echo two');
    const seen = await instance();
    expect(seen).toMatchObject({ restarts: 1, lastExit: { reason: expect.stringMatching(/137/) } });
    expect(seen?.lastExit?.lines.join()).toMatch(/listens on 0.0.0.0:8000/);
    expect(await containers()).not.toEqual(before);
  });

  it('is taken over by the next server after a crash, with its container and its log', async () => {
    const before = await containers();
    const { pid, restarts } = (await instance()) ?? { pid: 0, restarts: 0 };
    expect(restarts).toBe(1);
    server.child.kill('SIGKILL');
    await server.ended;
    server = await serve();
    expect(await ask('three')).toBe('echo three');
    expect(await containers()).toEqual(before);
    expect((await instance())?.pid).toBe(pid);
    await ask('write');
    const { stdout: list } = await world.run(['w', 'reader', '--json']);
    const [{ name }] = JSON.parse(list);
    const { stdout } = await world.run(['logs', 'reader', name]);
    expect(stdout.match(/listens on/g)?.length).toBe(2);
    expect(stdout.match(/x{99}/g)?.length).toBe(50);
  });

  it('is named as out of memory when it takes more than it may have', async () => {
    // More than the limit, at once and for real.
    const reason = 'out of memory (limit 256 MB)';
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await ask('eat')).toBe('');
      // A busy engine may miss why a container ended: see `endingToldOfMemory` for its driver.
      if ((await instance())?.lastExit?.reason.includes(reason) === true) break;
    }
    expect((await instance())?.lastExit?.reason).toContain(reason);
  });

  it('leaves no container when it is deleted', async () => {
    await world.run(['delete', 'reader', '--yes']);
    expect(await containers()).toEqual([]);
  });

  it('ends with its server when that is asked to stop', async () => {
    await world.run(['create', join(world.home, 'service.json')]);
    expect((await containers()).length).toBe(1);
    server.child.kill('SIGTERM');
    await server.ended;
    expect(await containers()).toEqual([]);
  });
});
