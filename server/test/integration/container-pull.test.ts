// Images are pulled when the engine has none of that name, with progress, with the login that was
// declared; what goes wrong is said in words.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Stage } from '../../src/instances/driver.ts';
import { engineProblem, startEngine, type TestEngine } from '../docker/engine.ts';
import { busyboxImage, loadBusybox } from '../docker/images.ts';
import { password, startRegistry, type TestRegistry, user } from '../docker/registry.ts';
import { ContainerWorld, launchOf, page } from './container-world.ts';

const dockerAuth = btoa(`${user}:${password}`);

describe.skipIf(engineProblem !== undefined)('an image of a private registry', () => {
  let engine: TestEngine;
  let registry: TestRegistry;
  let world: ContainerWorld;
  let image: string;

  beforeAll(async () => {
    engine = await startEngine();
    registry = await startRegistry(engine);
    await loadBusybox(engine, { ballastBytes: 48_000_000 });
    image = await registry.publish(busyboxImage, 'team/model:1.4');
  });
  afterAll(async () => {
    await registry?.stop();
    await engine?.stop();
  });
  beforeEach(async () => {
    world = await ContainerWorld.open(engine);
    await engine.docker
      .getImage(busyboxImage)
      .remove({ force: true })
      .catch(() => undefined);
    await engine.docker
      .getImage(image)
      .remove({ force: true })
      .catch(() => undefined);
  });
  afterEach(() => world.close());

  it('is pulled, and all copies that wait for it see how far it has come', async () => {
    const stages: Stage[][] = [[], []];
    const copies = await Promise.all(
      ['reader-aaaaa', 'reader-bbbbb'].map((instance, at) =>
        world.serve({ instance, source: { image, dockerAuth }, stages: stages[at] ?? [] }),
      ),
    );
    for (const copy of copies) expect(await page(copy, '')).toBe('hello\n');
    expect(stages[1]?.[0]).toEqual(stages[0]?.[0]);
    const [first, ...others] = stages[0] ?? [];
    expect(first).toEqual({ state: 'Pulling', text: `asking ${registry.address}` });
    expect(others.at(-1)).toEqual({ state: 'Starting', text: '' });
    const texts = others.slice(0, -1).map(({ text }) => text);
    expect(texts.join('\n')).toMatch(/^[\d.]+ of 4\d MB \(\d+ %\), 0 of 1 layer$/m);
  });

  it('needs no registry when the engine has it', async () => {
    await world.serve({ source: { image, dockerAuth } });
    const stages: Stage[] = [];
    await world.serve({ instance: 'reader-bbbbb', source: { image }, stages });
    expect(stages).toEqual([{ state: 'Starting', text: '' }]);
  });

  it.each([
    ['without a login', undefined],
    ['with a wrong password', btoa(`${user}:wrong`)],
  ])('is refused %s', async (_, login) => {
    expect(await world.outcome({ source: { image, dockerAuth: login } })).toMatchObject({
      problem: `${registry.address} wants another login for ${image}; see dockerAuth`,
      isFinal: true,
    });
  });

  it.each(['team/model:9', 'team/other:1'])('that is not there is named: %s', async (name) => {
    const missing = `${registry.address}/${name}`;
    expect(await world.outcome({ source: { image: missing, dockerAuth } })).toMatchObject({
      problem: `${registry.address} has no image ${missing}`,
      isFinal: true,
    });
  });

  it('of a registry that does not answer may be there later', async () => {
    const ending = await world.outcome({ source: { image: '127.0.0.1:1/team/model:1' } });
    expect(ending.problem).toMatch(/^127.0.0.1:1 does not answer: .*connection refused/);
    expect(ending.isFinal).toBe(false);
  });

  it('is not pulled on when nobody waits for it any more', async () => {
    const abort = new AbortController();
    const stages: Stage[] = [];
    const launch = launchOf({ source: { image, dockerAuth }, signal: abort.signal });
    const running = await world.driver.start({
      ...launch,
      tell: (stage) => {
        stages.push(stage);
        abort.abort();
      },
    });
    const ending = await running.ended;
    expect(ending.problem).toBe('is not wanted any more');
    expect(stages.map(({ state }) => state)).toEqual(['Pulling']);
    await expect(engine.docker.getImage(image).inspect()).rejects.toThrow('No such image');
  });
});
