// The disk fills up while the server works, once to the reserve and once to the last byte, and it
// is full when a server starts. It is a small file system of its own.

import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EasCaller, Refusal } from '../eas-caller.ts';
import { comesTrue, pause } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';

const service = 'disk';
/** Room for the reserve of 256 MB and some work. */
const diskMegabytes = 360;
const belowReserve = 64 * 2 ** 20;
const noticeMs = 10_000;

let probes = 0;

export const diskFull: Scenario = {
  name: 'disk-full',
  about: 'a disk that fills up under load, to the reserve and to the last byte, and at start',
  share: 4,
  missing: () =>
    process.getuid?.() === 0 ? undefined : 'only root may mount the small file system it needs',
  async run(stage) {
    const disk = stage.world.mountSmall(diskMegabytes);
    if (disk === undefined) throw new Error('no file system can be mounted here');
    const metadata = { name: service, type: 'Async', instance: 0 };
    const server = await stage.server([{ metadata }], { data: join(disk, 'data') });
    await server.start();
    const traffic = await stage.traffic({
      url: server.url,
      service,
      lanes: { eas: 4, stream: 4 },
      workers: ['stream', 'stream', 'eas'],
      watchers: ['stream'],
    });
    for (let nth = 0; nth < stage.kills; nth += 1) {
      await stage.underLoad();
      fillUp(disk, belowReserve);
      await refusesPuts(stage, server);
      fillUp(disk, 0);
      await pause(1_000);
      stage.fault();
      await server.kill();
      await startOnFullDisk(stage, server);
      rmSync(join(disk, 'filler'));
      if (server.current.isEnded) await server.start();
      else await server.current.ready;
    }
    await stage.underLoad();
    await stage.settle(server, traffic, service);
  },
};

/** Takes all room but so many bytes. */
function fillUp(disk: string, leaveBytes: number): void {
  const filler = join(disk, 'filler');
  const before = statSync(filler, { throwIfNoEntry: false })?.size ?? 0;
  const { bavail, bsize } = statfsSync(disk);
  const bytes = before + bavail * bsize - leaveBytes;
  try {
    execFileSync('fallocate', ['-l', `${bytes}`, filler], { stdio: 'ignore' });
  } catch {
    // The file system needs some of the room for itself: it is as full as it gets.
  }
}

/** Puts get a clear refusal, and what was accepted is worked off all the same. */
async function refusesPuts(stage: Stage, server: Server): Promise<void> {
  const eas = new EasCaller({ url: server.url, service });
  const isRefused = (): Promise<boolean> => {
    probes += 1;
    const id = `probe-${probes}`;
    stage.ledger.asked(id);
    return eas.put(id, id).then(
      (index) => {
        // In the last moment before: a put like any other.
        stage.ledger.accepted(id, index, service);
        return false;
      },
      (error: unknown) => error instanceof Refusal && error.status === 507,
    );
  };
  if (!(await comesTrue(isRefused, noticeMs))) stage.problem('puts are not refused with 507');
  const isWorkedOff = (): boolean => stage.ledger.openCount === 0;
  if (!(await comesTrue(isWorkedOff, noticeMs))) {
    stage.problem(`${stage.ledger.openCount} requests are stuck below the reserve`);
  }
}

/** It starts, or it says why it does not and ends. */
async function startOnFullDisk(stage: Stage, server: Server): Promise<void> {
  const life = server.spawn();
  life.isExpected = true;
  const isReady = await life.ready.then(
    () => true,
    () => false,
  );
  life.isExpected = isReady === false;
  const [words = ''] = life.lastWords().split('\n').slice(-1);
  stage.note(isReady ? 'it starts on a full disk' : `on a full disk it says: ${words}`);
}
