// Waiting for a service: what is said while it comes up, and the verdict when it does not. The
// client is the real one, its server answers what the script says, time is moved.

import {
  AdminClient,
  type InstanceInfo,
  type RevisionInfo,
  type ServiceDescription,
  type ServiceStatus,
} from '@sluice/sdk';
import { describe, expect, test } from 'vitest';
import { waitUntilRunning, waitUntilStopped } from '../../src/cli/waiting.ts';
import { openSurroundings } from './cli-world.ts';

interface Script {
  /** One after the other; the last one stays. */
  readonly services: readonly ServiceDescription[];
  readonly instances?: readonly Partial<InstanceInfo>[];
  readonly revisions?: readonly Partial<RevisionInfo>[];
}

function described(
  status: ServiceStatus,
  rest: Partial<ServiceDescription> & { readonly ready?: number } = {},
): ServiceDescription {
  const { ready = status === 'Running' ? 2 : 0, ...fields } = rest;
  return {
    name: 'ocr',
    status,
    message: '',
    revision: 1,
    instances: { wanted: 2, running: ready, pending: 2 - ready, failed: 0 },
    ...{ waiting: 0, running: 0, results: 0, createdAt: '', updatedAt: '' },
    ...{ endpoint: '', token: '', definition: {}, warnings: [], sourceRevision: 1 },
    rollout: { state: 'done', text: '' },
    ...{ source: 'process', image: '', autoscaled: false },
    resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
    ...fields,
  };
}

function open(script: Script, options: { readonly terminal?: boolean } = {}) {
  const surroundings = openSurroundings(options);
  let at = 0;
  const answer = (path: string): unknown => {
    if (path.endsWith('/instances')) return script.instances ?? [];
    if (path.endsWith('/revisions')) return script.revisions ?? [];
    const service = script.services[Math.min(at, script.services.length - 1)];
    at += 1;
    return service;
  };
  const client = new AdminClient({
    url: 'http://sluice.example',
    token: 'x',
    fetch: (input) => Promise.resolve(Response.json(answer(new URL(String(input)).pathname))),
  });
  const { context, clock } = surroundings;
  const run = async (
    how: typeof waitUntilRunning,
    wait: Partial<Parameters<typeof waitUntilRunning>[3]>,
  ): Promise<string> => {
    const waiting = how(context, client, 'ocr', { timeoutMs: 60_000, revision: 0, ...wait });
    return clock.run(waiting).then(
      ({ status }) => status,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  };
  return {
    ...surroundings,
    running: (wait = {}) => run(waitUntilRunning, wait),
    stopped: (wait = {}) => run(waitUntilStopped, wait),
  };
}

describe('a service that comes up', () => {
  test('has a line for each change of its numbers, and one at the end', async () => {
    const world = open({
      services: [
        ...[described('Starting'), described('Starting')],
        ...[described('Starting', { ready: 1 }), described('Running')],
      ],
    });
    expect(await world.running()).toBe('Running');
    expect(world.stdout()).toBe(
      '[OK] Waiting [Total: 2, Pending: 2, Running: 0]\n' +
        '[OK] Waiting [Total: 2, Pending: 1, Running: 1]\n' +
        '[OK] Service is running\n',
    );
    expect(world.stderr()).toContain('Service is Starting (1 of 2 instances)\n');
  });

  test('is spoken of by its name where there are several', async () => {
    const world = open({ services: [described('Running')] });
    await world.running({ speaker: 'ocr' });
    expect(world.stdout()).toBe('[OK] ocr: Service is running\n');
  });

  test('may fail for a moment, and is waited for while an update goes on', async () => {
    const rolling = { rollout: { state: 'rolling', text: '1 of 2' } } as const;
    const world = open({
      services: [
        ...Array.from({ length: 15 }, () => described('Failed')),
        ...Array.from({ length: 60 }, () => described('Updating', { ready: 1, ...rolling })),
        described('Running'),
      ],
    });
    expect(await world.running()).toBe('Running');
  });

  test('is done when it is a stopped one', async () => {
    expect(await open({ services: [described('Stopped')] }).running()).toBe('Stopped');
  });
});

describe('a service that does not come up', () => {
  const crashed = {
    ...{ name: 'ocr-a1', ready: false, state: 'CrashLoop', message: 'ended with code 1' },
    startedAt: '2026-01-01T00:00:00Z',
    lastExit: {
      ...{ code: 1, signal: null, reason: 'ended with code 1', startedAt: '', endedAt: '' },
      lines: ['1', '2', '3', '4', '5', 'Error: no model\u001b[2J'],
    },
  };

  test('is given up after 5 s, with its reason and its last words', async () => {
    const services = [described('Failed', { message: 'ocr-a1 ended with code 1' })];
    const sound = { name: 'ocr-b2', ready: true, message: '', lastExit: null };
    const world = open({ services, instances: [sound, crashed] });
    const before = world.clock.now().mono;
    const verdict = await world.running();
    expect(world.clock.now().mono - before).toBeCloseTo(5000, -2);
    expect(verdict.split('\n')).toEqual([
      'Service is Failed (0 of 2 instances): ocr-a1 ended with code 1 ' +
        '(sluice logs ocr shows what it wrote)',
      'the last that ocr-a1 wrote:',
      ...['  2', '  3', '  4', '  5', '  Error: no model [2J'],
    ]);
  });

  test('says that its queues work when it lacks something', async () => {
    const services = [described('Pending', { message: 'no Docker Engine answers' })];
    const verdict = await open({ services }).running();
    expect(verdict).toMatch(/^Service is Pending .*no Docker Engine answers; its queues take req/);
    // Where nothing was started nothing was written.
    expect(verdict).not.toContain('sluice logs');
  });

  test('is not waited for beyond the time-out; what instances lack is said', async () => {
    const services = [described('Updating', { message: '0 of 2 are ready' })];
    const lacks = (name: string, message: string) => {
      return { name, message, ready: false, state: 'Starting', startedAt: '', lastExit: null };
    };
    const instances = [
      ...[lacks('ocr-a', 'no port'), { ...lacks('ocr-b', 'well'), ready: true }],
      ...[lacks('ocr-c', '0 of 2 are ready'), lacks('ocr-d', ''), lacks('ocr-e', 'no memory')],
    ];
    const verdict = await open({ services, instances }).running({ timeoutMs: 3000 });
    expect(verdict).toMatch(/^Service is Updating .*0 of 2 are ready; not waiting longer$/m);
    expect(verdict.split('\n').slice(1)).toEqual([
      ...['ocr-a is Starting: no port', 'ocr-e is Starting: no memory'],
    ]);
  });

  test('goes on when the waiting is interrupted', async () => {
    const world = open({ services: [described('Starting')] });
    world.clock.after(1000, () => world.interrupt.abort());
    expect(await world.running()).toBe('interrupted');
    expect(world.stderr()).toContain('goes on without us: sluice desc ocr');
  });

  test('has been rolled back, which is told at once and with the reason', async () => {
    const services = [described('Running', { revision: 5, sourceRevision: 3 })];
    const revisions = [
      { revision: 4, text: 'modified' },
      { revision: 5, text: 'rolled back: no instance of revision 4 became ready' },
    ];
    const verdict = await open({ services, revisions }).running({ revision: 4 });
    expect(verdict).toMatch(/^revision 4 was rolled back: no instance .* \(sluice events ocr /);
    const other = await open({ services, revisions }).running({ revision: 3 });
    expect(other).toMatch(/^revision 3 was replaced by revision 4, modified /);
    expect(await open({ services, revisions }).running({ revision: 5 })).toBe('Running');
  });
});

test('a stop is waited for until the last running request is done', async () => {
  const leaving = (running: number): ServiceDescription =>
    described('Stopping', { running, instances: { wanted: 0, running, pending: 0, failed: 0 } });
  const world = open({ services: [leaving(2), leaving(1), described('Stopped')] });
  expect(await world.stopped()).toBe('Stopped');
  expect(world.stdout()).toContain('[OK] Service is stopped\n');
  expect(world.stderr()).toContain('2 running requests');
});
