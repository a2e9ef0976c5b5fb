// The paths that every message takes, each in a form that does the same work every time: no clock
// that runs, no chance, a fixed number under way. A cycle over the stream protocol goes through all
// layers on the engine in memory, a put over HTTP through those down to the disk.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Client } from '@sluice/sdk';
import { Broker } from '../../src/broker/broker.ts';
import { LmdbEngine } from '../../src/engine/lmdb/engine.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Random } from '../../src/kernel/random.ts';
import { defaultSettings } from '../../src/queue/settings.ts';
import { closeWorld, serviceOf, startEdge, token } from '../integration/eas-world.ts';
import { StreamWorld, service } from '../unit/stream-world.ts';

export interface HotPath {
  /** Does it so many times. */
  run(times: number): Promise<void>;
  close(): Promise<void>;
}

export type HotPathName = 'streamCycle' | 'httpPut';

/** Each starts from nothing; `folder` is empty and for it alone. */
export const hotPaths: Readonly<Record<HotPathName, (folder: string) => Promise<HotPath>>> = {
  streamCycle,
  httpPut,
};

/** Time stands still: nothing is due, and no turn is cut short for having taken long. */
const stillClock: Clock = {
  now: () => ({ wall: 1_700_000_000_000, mono: 1_000_000 }),
  after: () => ({ cancel: () => undefined }),
  defer: (run) => void setImmediate(run),
};

const payload = new Uint8Array(1024);
const underWay = 32;

/** Put, delivered, completed with a result of 1 KB, result at the submitter. */
async function streamCycle(): Promise<HotPath> {
  const random = countedIds();
  const world = await StreamWorld.open({ clock: stillClock, random });
  const platform = { clock: stillClock, random };
  const submitter: Client = await world.connect({ platform, uid: 'submitter' });
  const worker: Client = await world.connect({ platform, uid: 'worker', gid: service });
  const results = submitter.sink.watch({ autoCommit: true, window: underWay });
  const work = worker.input.watch({ window: underWay });
  await Promise.all([results.ready(), work.ready()]);
  const serve = async (): Promise<void> => {
    for await (const delivery of work) await delivery.complete(payload);
  };
  const serving = serve();
  return {
    run: async (times) => {
      for (let done = 0; done < times; done += underWay) {
        const puts = Array.from({ length: underWay }, () => submitter.input.put(payload));
        for (let at = 0; at < underWay; at++) await results.next();
        await Promise.all(puts);
      }
    },
    close: async () => {
      await results.close();
      await work.close();
      await serving;
      await world.close();
    },
  };
}

/** Puts of 1 KB on one connection, each answered before the next is sent. */
async function httpPut(folder: string): Promise<HotPath> {
  const engine = new LmdbEngine({ folder, clock: systemClock, log: silentLog });
  await engine.start();
  const random = countedIds();
  const broker = new Broker({ engine, clock: stillClock, random, log: silentLog });
  await broker.start();
  const queues = await broker.open({ number: 1, name: 'svc', settings: defaultSettings });
  const { port } = await startEdge([serviceOf(queues)], { random });
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const request = Buffer.concat([Buffer.from(headOf(port)), payload]);
  return {
    run: async (times) => {
      for (let done = 0; done < times; done++) {
        socket.write(request);
        await answered(socket);
      }
    },
    close: async () => {
      socket.destroy();
      await closeWorld();
      await broker.stop();
      await engine.stop();
    },
  };
}

function headOf(port: number): string {
  const lines = [
    'POST /api/predict/svc HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    `Authorization: ${token}`,
    `Content-Length: ${payload.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** An answer of a put is far smaller than what comes at once. */
async function answered(socket: Socket): Promise<void> {
  const [chunk]: Buffer[] = await once(socket, 'data');
  const text = chunk?.toString('latin1') ?? '';
  if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`the server answered: ${text}`);
}

function countedIds(): Random {
  let ids = 0;
  return {
    fraction: () => 0.5,
    uint32: () => 7,
    id: () => `0f8fad5b-d9cb-469f-a165-${String(ids++).padStart(12, '0')}`,
    secret: (bytes) => 'ab'.repeat(bytes),
  };
}
