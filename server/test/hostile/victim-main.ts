// A whole server in a process of its own, whose memory can be asked for: started by victim.ts with
// the collector at hand. Everything else is as `sluice serve` has it.

import { AdminClient } from '@sluice/sdk';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { terminalLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import type { Measured, VictimOrder } from './victim.ts';
import { adminToken, services, tokenOf } from './world.ts';

const order = JSON.parse(process.argv[2] ?? '{}') as VictimOrder;
const environment = { HOME: order.folder, SLUICE_ADMIN_TOKEN: adminToken };
const flags = { data: order.folder, listen: '127.0.0.1:0', engine: 'lmdb', limit: order.limits };
const config = loadConfig({ flags, environment, file: undefined });
const log = terminalLog('error');
const parts = { clock: systemClock, random: systemRandom, log, environment };
const platform = new Platform(config, parts);
await platform.start();
const admin = new AdminClient({ url: platform.url, token: adminToken });
for (const name of services) {
  const metadata = { name, type: 'Async', instance: 0 };
  await admin.createService({ metadata, token: tokenOf(name), queue: order.queue });
}
process.on('message', () => void measure());
process.on('disconnect', () => void platform.stop().then(() => process.exit(0)));
process.send?.({ port: Number(new URL(platform.url).port) });

/** What is in use once everything that can go is gone. */
async function measure(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const measured: Measured = { usedBytes: heapUsed + external, residentBytes: rss };
  process.send?.(measured);
}
