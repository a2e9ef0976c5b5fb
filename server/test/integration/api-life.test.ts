// Changes, revisions, stops and scaling of services through the administrative API, by the SDK's
// own client: what is answered, and how mistakes are told.

import { PlatformError } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiWorld, adminToken, openApiWorld } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await openApiWorld();
  await world.client.createService(model('one'));
});
afterEach(() => world.close());

const model = (command: string) => ({
  metadata: { name: 'm', type: 'Async', instance: 1 },
  containers: [{ command }],
});

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'done',
    (error: unknown) => (error instanceof PlatformError ? error.code : String(error)),
  );
}

test('a change is answered with each field before and after', async () => {
  const { client } = world;
  const change = { merge: { labels: { team: 'a' } }, set: { 'queue.max_delivery': '3' } };
  const expected = {
    outcome: 'updated',
    revision: 2,
    rollsOut: false,
    changes: [
      { path: 'labels.team', before: null, after: 'a' },
      { path: 'queue.max_delivery', before: 5, after: 3 },
    ],
  };
  expect(await client.modifyService('m', change, { dryRun: true })).toMatchObject(expected);
  expect((await client.service('m')).revision).toBe(1);
  expect(await client.modifyService('m', change)).toMatchObject(expected);
  expect(await client.modifyService('m', change)).toMatchObject({
    outcome: 'unchanged',
    changes: [],
  });
  const dry = await client.applyService('m', model('two'), { dryRun: true });
  expect(dry).toMatchObject({ outcome: 'updated', revision: 3, rollsOut: true });
  const strange = client.modifyService('m', { merge: { foreign: 1 } }, { strict: true });
  expect(await codeOf(strange)).toBe('bad_request');
  expect(await codeOf(client.modifyService('n', change))).toBe('not_found');
});

test('mistakes in a change are told all at once', async () => {
  const set = { 'queue.memory': 'much', 'queue.max_dilevery': '1', 'metadata.instance': '-1' };
  const attempt = world.client.modifyService('m', { set });
  await expect(attempt).rejects.toMatchObject({ code: 'bad_request' });
  const text = await attempt.catch((error: unknown) => String(error));
  for (const place of Object.keys(set)) expect(text).toContain(place);
});

test('a service is described with what it is made of; a dry run makes no token', async () => {
  const { client } = world;
  const file = {
    metadata: { name: 'c', type: 'Async', instance: 1, cpu: 2, memory: 512, gpu: 1 },
    containers: [{ image: 'ocr:1', port: 8000 }],
    dockerAuth: 'dXNlcjpzZWNyZXQ=',
    autoscaler: { max: 2 },
  };
  expect(await client.createService(file, { dryRun: true })).toMatchObject({
    outcome: 'created',
    token: '',
  });
  expect(await codeOf(client.service('c'))).toBe('not_found');
  await client.createService(file);
  expect(await client.service('c')).toMatchObject({
    source: 'container',
    image: 'ocr:1',
    resources: { cpuMillis: 2000, memoryBytes: 512 * 2 ** 20, gpus: 1 },
    autoscaled: true,
    rollout: { state: 'done', text: '' },
    definition: { dockerAuth: '***' },
  });
});

test('revisions are listed, shown and switched back to', async () => {
  const { client } = world;
  await client.applyService('m', model('two'));
  const plan = await client.switchRevision('m', 1, { dryRun: true });
  expect(plan).toMatchObject({ outcome: 'updated', revision: 3, rollsOut: true });
  expect(await client.switchRevision('m', 1)).toMatchObject({ outcome: 'updated', revision: 3 });
  expect(await client.revisions('m')).toMatchObject([
    { revision: 1, sourceRevision: 1, text: 'created', current: false, kept: true },
    { revision: 2, sourceRevision: 2, text: 'applied', changed: ['containers[0].command'] },
    { revision: 3, sourceRevision: 1, text: 'switched back to revision 1', current: true },
  ]);
  expect(await client.revision('m', 2)).toMatchObject({ definition: model('two') });
  expect(await codeOf(client.revision('m', 9))).toBe('not_found');
  expect(await codeOf(client.switchRevision('m', 9))).toBe('not_found');
  expect(await codeOf(client.revisions('n'))).toBe('not_found');
  const headers = { Authorization: adminToken };
  const bad = await fetch(`${world.url}/v1/services/m/revisions/first`, { headers });
  expect(bad.status).toBe(400);
});

test('an autoscaler is declared whole, shown, and taken away', async () => {
  const { client } = world;
  expect(await client.autoscaler('m')).toBeUndefined();
  const block = { min: 1, max: 4, 'strategies.qps': 10, ScaleJobs: [] };
  expect(await client.setAutoscaler('m', block)).toMatchObject({ outcome: 'updated' });
  expect(await client.autoscaler('m')).toMatchObject({
    min: 1,
    max: 4,
    strategies: [{ metric: 'qps', threshold: 10, service: 'm', value: null }],
    behavior: { scaleDownStabilizationSeconds: 300, zeroGraceSeconds: 600 },
    cron: null,
    wanted: 1,
    decision: null,
  });
  expect(await codeOf(client.setAutoscaler('m', { min: 5, max: 4 }))).toBe('bad_request');
  expect(await client.removeAutoscaler('m')).toMatchObject({ outcome: 'updated' });
  expect(await client.removeAutoscaler('m')).toMatchObject({ outcome: 'unchanged' });
  expect(await codeOf(client.autoscaler('n'))).toBe('not_found');
});

test('stop and start may be repeated, and know which services there are', async () => {
  const { client } = world;
  await client.stopService('m');
  await client.stopService('m', { now: true });
  expect((await client.service('m')).status).toBe('Stopping');
  await client.startService('m');
  await client.startService('m');
  expect((await client.service('m')).status).toBe('Starting');
  expect(await codeOf(client.stopService('n'))).toBe('not_found');
  expect(await codeOf(client.startService('n'))).toBe('not_found');
});

test('instances are replaced only when all of them exist', async () => {
  const { client } = world;
  await client.deleteInstances('m', ['m-0']);
  expect(await codeOf(client.deleteInstances('m', ['m-0', 'm-9']))).toBe('not_found');
  expect(await codeOf(client.deleteInstances('m', []))).toBe('bad_request');
});
