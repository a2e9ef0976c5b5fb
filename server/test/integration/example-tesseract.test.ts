// examples/tesseract for real: an image made of Debian's packages, in a container behind the queue.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineProblem, startEngine, type TestEngine } from '../docker/engine.ts';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/tesseract/', import.meta.url));
const page = fileURLToPath(new URL('../../../examples/ocr/pages/01-notice.png', import.meta.url));
const buildMs = 120_000;

/** The blocks of the manual page that are output. */
const promised = readFileSync(join(example, 'README.md'), 'utf8')
  .split('```\n')
  .filter((block) => block.startsWith('NOTICE') || block.startsWith('$ '));

describe.skipIf(engineProblem !== undefined)('tesseract in a container', () => {
  let engine: TestEngine;
  let world: CommandWorld;
  let server: RunningCommand;

  beforeAll(async () => {
    engine = await startEngine();
    const environment = { DOCKER_HOST: engine.host };
    const env = { ...process.env, ...environment };
    await promisify(execFile)(join(example, 'build.sh'), [], { env });
    world = openCommandWorld();
    const data = join(world.home, 'data');
    server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data], { environment });
    await server.says(/Ready/);
  }, buildMs);
  afterAll(async () => {
    server?.child.kill('SIGTERM');
    await server?.ended;
    await world?.close();
    await engine?.stop();
  });

  it('reads a page, and refuses what is none, as its manual page says', async () => {
    const created = await world.run(['create', join(example, 'service.json')]);
    expect(created.stdout).toMatch(/\[OK\] Service is running\n$/);
    const read = await world.run(['put', 'tesseract', '--wait', page]);
    expect(read.stdout).toBe(promised[0]);
    const [, refusal] = promised[1]?.split('\n') ?? [];
    const refused = await world.run(['put', 'tesseract', '--wait', '--data', 'nonsense']);
    expect(refused.stderr).toContain(refusal);
    const { stdout } = await world.run(['w', 'tesseract', '--json']);
    expect(JSON.parse(stdout)[0]).toMatchObject({ kind: 'container', ready: true });
  });
});
