// A payload over its limit is refused with the same sentence by whichever part notices it: size,
// limit, setting and command.

import { expect, it } from 'vitest';
import { bytes, putRequest } from './queue-requests.ts';
import { inWorld, type World } from './queue-world.ts';

const advice = (what: string, side: 'source' | 'sink'): string =>
  `${what} of 11 bytes is over the limit of 10 bytes: raise queue.${side}.max_payload_size_kb ` +
  "in the service's file and apply it with `sluice apply FILE`";

const limits = { source: { payloadBytesMax: 10 }, sink: { payloadBytesMax: 10 } } as const;

it.each([
  ['input', 'source'],
  ['inputRear', 'source'],
  ['sink', 'sink'],
  ['sinkRear', 'sink'],
] as const)('refuses a put to the queue %s with queue.%s', async (queue, side) => {
  await inWorld(limits, async (world) => {
    const put = world.run(world.queues.put(queue, putRequest('x'.repeat(11))));
    await expect(put).rejects.toThrow(advice('a payload', side));
  });
});

it('refuses a result with queue.sink, and leaves the lease as it is', async () => {
  await inWorld({ declaresInstances: true, ...limits }, async (world) => {
    const worker = await world.worker('w');
    await world.put('a');
    const { deliveryId } = worker.of(1);
    await expect(complete(world, deliveryId, 'x'.repeat(11))).rejects.toThrow(
      advice('a result', 'sink'),
    );
    await expect(complete(world, deliveryId, 'x')).resolves.toBe(1);
  });
});

function complete(world: World, deliveryId: number, body: string): Promise<number> {
  const how = { outcome: 'succeeded', code: '', reason: '', firstOutputAt: 0 } as const;
  const payload = bytes(body);
  return world.run(world.queues.complete({ deliveryId, payload, contentType: undefined, ...how }));
}
