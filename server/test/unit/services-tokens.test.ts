// Who may use a service: its tokens over creation, updates, rotation and restarts.

import { beforeEach, describe, expect, it } from 'vitest';
import type { Registry } from '../../src/services/registry.ts';
import { World } from './services-world.ts';

const file = (more: object = {}): object => ({
  metadata: { name: 'a', instance: 0, type: 'Async' },
  ...more,
});

let world: World;
let registry: Registry;

beforeEach(async () => {
  world = new World();
  registry = await world.boot();
});

const secrets = (): readonly string[] =>
  registry.find('a')?.tokens.map(({ secret }) => secret) ?? [];

describe('main token', () => {
  it('is made once and kept over updates', async () => {
    const { token } = await registry.apply(file());
    const updated = await registry.apply(file({ queue: { max_delivery: 1 } }));
    expect(updated.token).toBe(token);
    expect(secrets()).toEqual([token]);
  });

  it('is the one given, also when it is given later or changed', async () => {
    await registry.apply(file());
    expect((await registry.apply(file({ token: 'one' }))).token).toBe('one');
    expect((await registry.apply(file({ token: 'two' }))).token).toBe('two');
    expect((await registry.apply(file())).token).toBe('two');
  });

  it('stays rotated although the file still names the old one', async () => {
    await registry.apply(file({ token: 'old' }));
    const { secret } = await registry.rotateToken('a');
    expect(secret).not.toBe('old');
    await registry.apply(file({ token: 'old', queue: { max_delivery: 1 } }));
    registry = await world.boot();
    await registry.apply(file({ token: 'old' }));
    expect(secrets()).toEqual([secret]);
    await registry.apply(file({ token: 'new' }));
    expect(secrets()).toEqual(['new']);
  });

  it('is not shown with the file', async () => {
    await registry.apply(file({ token: 'old' }));
    expect(registry.get('a')).toMatchObject({ token: 'old', file: { token: '***' } });
  });
});

describe('open service', () => {
  it('asks nobody, on loopback only', async () => {
    await expect(registry.apply(file({ token: '' }))).rejects.toMatchObject({
      code: 'bad_request',
    });
    world.openAllowed = true;
    registry = await world.boot();
    expect((await registry.apply(file({ token: '' }))).token).toBe('');
    expect(registry.find('a')).toMatchObject({ open: true, tokens: [], stopped: undefined });
    await expect(registry.rotateToken('a')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('lets nobody in once Sluice listens beyond loopback', async () => {
    world.openAllowed = true;
    registry = await world.boot();
    await registry.apply(file({ token: '' }));
    world.openAllowed = false;
    registry = await world.boot();
    expect(registry.find('a')).toMatchObject({ open: false, tokens: [] });
    expect(registry.find('a')?.stopped).toContain('set "token" in its file');
    expect(registry.get('a')).toMatchObject({ status: 'Failed' });
    const { token } = await registry.apply(file());
    expect(token).toHaveLength(48);
    expect(registry.find('a')).toMatchObject({ open: false, stopped: undefined });
  });
});

describe('further tokens', () => {
  beforeEach(async () => {
    await registry.apply(file({ token: 'main-secret' }));
  });

  it('are added, rotated and removed, at once and for good', async () => {
    const added = await registry.addToken('a', 'app', ['read', 'submit']);
    expect(added).toMatchObject({ name: 'app', scopes: ['submit', 'read'] });
    expect(registry.find('a')?.tokens[1]).toEqual({
      name: 'app',
      secret: added.secret,
      scopes: new Set(['submit', 'read']),
    });
    const rotated = await registry.rotateToken('a', 'app');
    expect(secrets()).toEqual(['main-secret', rotated.secret]);
    registry = await world.boot();
    expect(secrets()).toEqual(['main-secret', rotated.secret]);
    expect(registry.tokens('a')).toEqual([
      { name: 'main', scopes: [] },
      { name: 'app', scopes: ['submit', 'read'] },
    ]);
    await registry.removeToken('a', 'app');
    expect(secrets()).toEqual(['main-secret']);
  });

  it('have names and scopes that exist', async () => {
    const refused: readonly (readonly [Promise<unknown>, string])[] = [
      [registry.addToken('a', 'x', []), 'bad_request'],
      [registry.addToken('a', 'x', ['write']), 'bad_request'],
      [registry.addToken('a', '../x', ['read']), 'bad_request'],
      [registry.addToken('a', 'main', ['read']), 'conflict'],
      [registry.removeToken('a', 'main'), 'conflict'],
      [registry.removeToken('a', 'x'), 'not_found'],
      [registry.rotateToken('a', 'x'), 'not_found'],
      [registry.addToken('b', 'x', ['read']), 'not_found'],
    ];
    for (const [call, code] of refused) await expect(call).rejects.toMatchObject({ code });
  });

  it('are at most 64, each name once', async () => {
    for (let at = 0; at < 64; at++) await registry.addToken('a', `t${at}`, ['read']);
    await expect(registry.addToken('a', 't64', ['read'])).rejects.toThrow('at most 64');
    await expect(registry.addToken('a', 't1', ['read'])).rejects.toThrow('can be rotated');
  });

  it('can not become the main token', async () => {
    const { secret } = await registry.addToken('a', 'app', ['read']);
    await expect(registry.apply(file({ token: secret }))).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(registry.get('a')?.revision).toBe(1);
  });
});

it('writes no secret to the log', async () => {
  await registry.apply(file({ token: 'main-secret' }));
  const { secret } = await registry.addToken('a', 'app', ['read']);
  const rotated = await registry.rotateToken('a');
  await registry.apply(file({ token: 'other-secret' }));
  const log = world.log.lines.join('\n');
  expect(world.log.lines.length).toBeGreaterThan(3);
  for (const each of ['main-secret', 'other-secret', secret, rotated.secret]) {
    expect(log).not.toContain(each);
  }
});
