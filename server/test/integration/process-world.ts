// The instance manager with its real drivers, a folder of its own, and for each service a source of
// work written by hand.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  HealthCheck,
  InstanceSettings,
  ProcessSource,
} from '../../src/deployment/instances.ts';
import type { DeployedService } from '../../src/deployment/service.ts';
import { EndpointDriver } from '../../src/instances/endpoint.ts';
import type { Capacity } from '../../src/instances/host/capacity.ts';
import { InstanceManager } from '../../src/instances/manager.ts';
import { ProcessDriver } from '../../src/instances/process.ts';
import type { InstanceStatus } from '../../src/instances/status.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import { Worker } from '../../src/worker/worker.ts';
import { unsaid } from '../deployed.ts';
import { HandSource, plainSettings } from './worker-world.ts';

export const modelScript: string = fileURLToPath(new URL('process-model.js', import.meta.url));

export const portCheck: HealthCheck = {
  probe: { kind: 'tcp' },
  port: undefined,
  initialDelayMs: 600_000,
  periodMs: 100,
  timeoutMs: 2000,
  successThreshold: 1,
  failureThreshold: 3,
};

export function processSource(more: Partial<ProcessSource> = {}): ProcessSource {
  const text = `${process.execPath} ${modelScript}`;
  return { kind: 'process', form: 'command', text, port: 0, env: {}, workDir: undefined, ...more };
}

export function wantedService(
  more: Partial<InstanceSettings> = {},
  revisions: { readonly revision?: number; readonly sourceRevision?: number } = {},
): DeployedService {
  const { revision = 1, sourceRevision = 1 } = revisions;
  const instances: InstanceSettings = {
    ...plainSettings,
    ...unsaid,
    source: processSource(),
    count: 1,
    healthCheck: portCheck,
    terminationGraceMs: 5000,
    ...more,
  };
  return { number: 1, name: 'reader', revision, sourceRevision, instances };
}

export interface ProcessWorld {
  readonly folder: string;
  readonly manager: InstanceManager;
  /** The work of an instance, by its name; made when it becomes ready. */
  readonly sources: ReadonlyMap<string, HandSource>;
  /** The one instance's work. */
  only(): HandSource;
  /** Resolves when the statuses fit; looked at whenever an instance might have changed. */
  until(fact: (statuses: readonly InstanceStatus[]) => boolean): Promise<void>;
  ready(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly logBytesMax?: number;
  readonly capacity?: Capacity;
}

const nothing: Capacity = { cpuMillis: 0, memoryBytes: 0, devices: [] };

export async function processWorld(options: WorldOptions = {}): Promise<ProcessWorld> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'sluice-process-')));
  const sources = new Map<string, HandSource>();
  const clock = systemClock;
  const environment = options.environment ?? { PATH: process.env.PATH, HOME: folder };
  const { logBytesMax = 2 ** 20, capacity = nothing } = options;
  const manager = new InstanceManager({
    drivers: {
      process: new ProcessDriver({
        folder,
        environment,
        clock,
        log: silentLog,
        logBytesMax,
        orphanGraceMs: 500,
      }),
      endpoint: new EndpointDriver(),
    },
    makeFeeder: ({ service, instance, url, settings, cutGraceMs }) => {
      const source = sources.get(instance) ?? new HandSource();
      sources.set(instance, source);
      const model = new HttpModelClient({ origin: url.origin, clock });
      const life = { clock, random: systemRandom, log: silentLog };
      const place = { service, instance, source, model, basePath: url.pathname };
      return new Worker({ ...place, ...life, settings, cutGraceMs, answerBytesMax: () => 65_536 });
    },
    ...(options.capacity === undefined ? {} : { capacity: async () => capacity }),
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const statuses = (): readonly InstanceStatus[] => manager.status('reader');
  const until: ProcessWorld['until'] = async (fact) => {
    while (!fact(statuses())) await new Promise<void>((resolve) => clock.after(10, resolve));
  };
  return {
    folder,
    manager,
    sources,
    only: () => {
      const [source] = sources.values();
      if (source === undefined) throw new Error('no instance is ready');
      return source;
    },
    until,
    ready: (count) =>
      until((all) => all.filter(({ state }) => state === 'Running').length === count),
    close: async () => {
      await manager.stop({ deadlineMs: 0 });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a request with that body answers. */
export async function ask(source: HandSource, body: string): Promise<string> {
  const before = source.completions.length;
  source.put({ payload: body });
  await source.until(({ completions }) => completions.length > before);
  return Buffer.from(source.completions.at(-1)?.payload ?? []).toString();
}

export async function textOf(log: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of log) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
