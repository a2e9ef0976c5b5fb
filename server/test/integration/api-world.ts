// A server with the administrative API over the real registry and the memory engine, without
// queues and instances: what the API itself does is tested on it.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type InstanceInfo, PlatformError } from '@sluice/sdk';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { EventLog } from '../../src/events/event-log.ts';
import { Administrator } from '../../src/http/api/administrator.ts';
import { createApi } from '../../src/http/api/app.ts';
import { pullMetrics } from '../../src/http/api/metrics.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { LoopDelay } from '../../src/kernel/loop-delay.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Telemetry } from '../../src/kernel/telemetry.ts';
import { Registry } from '../../src/services/registry.ts';

export const adminToken = 'the-admin-token-of-the-test';

export interface ApiWorld {
  readonly url: string;
  readonly client: AdminClient;
  readonly telemetry: Telemetry;
  /** What the instance `m-0` wrote; more may come through it. */
  readonly log: { pieces: AsyncIterable<Uint8Array> };
  readonly events: EventLog;
  /** Ends answers that go on for ever. */
  readonly closing: AbortController;
  /** Why the server is not ready. */
  readonly state: { notReady: string | undefined };
  close(): Promise<void>;
}

const instance: InstanceInfo = {
  name: 'm-0',
  kind: 'process',
  state: 'Running',
  message: '',
  address: 'http://127.0.0.1:1',
  pid: 7,
  revision: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  restarts: 2,
  window: 4,
  busy: 3,
  ready: true,
  host: '',
  lastExit: null,
};

export async function openApiWorld(): Promise<ApiWorld> {
  const engine = new MemoryEngine();
  const registry = new Registry({
    store: engine,
    queues: {
      open: async () => undefined,
      hold: () => undefined,
      close: async () => undefined,
      find: () => undefined,
      change: async () => undefined,
      drop: async () => undefined,
    },
    runtime: {
      apply: async () => undefined,
      remove: async () => undefined,
      hurry: () => undefined,
      report: () => undefined,
    },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    openAllowed: true,
  });
  await registry.start();
  const log: ApiWorld['log'] = { pieces: nothing() };
  const state: ApiWorld['state'] = { notReady: undefined };
  const telemetry = new Telemetry();
  const administration = new Administrator({
    registry,
    queues: { find: (): Queues | undefined => undefined },
    instances: {
      replace: () => true,
      list: () => [instance],
      logs: async (_service, name) => {
        if (name === instance.name) return log.pieces;
        throw new PlatformError('not_found', `there is no instance ${name}`);
      },
    },
    server: () => ({
      name: 'sluice',
      version: '1.2.3',
      engine: 'memory',
      startedAt: '2026-01-01T00:00:00.000Z',
      survivesProcess: false,
      survivesPower: false,
    }),
    notReady: () => state.notReady,
    backUp: undefined,
    deleted: (name) => telemetry.forget(name),
  });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
  const events = new EventLog({ folder, clock: systemClock, log: silentLog });
  await events.start();
  pullMetrics(telemetry, { administration, events, loopDelay: new LoopDelay(systemClock) });
  const closing = new AbortController();
  const api = createApi({
    administration,
    adminToken,
    telemetry,
    events,
    closing: closing.signal,
    clock: systemClock,
    log: silentLog,
  });
  await api.start();
  const server = createServer((request, response) => api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    client: new AdminClient({ url, token: adminToken }),
    telemetry,
    log,
    events,
    closing,
    state,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await api.stop();
      await events.stop();
      rmSync(folder, { recursive: true, force: true });
      await registry.stop();
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
