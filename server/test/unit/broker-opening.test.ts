// Queues that do not open because their data can't be read, and those of a deleted service.

import { expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { getRequest, putRequest } from './queue-requests.ts';
import { inWorld, serviceName, settingsOf } from './queue-world.ts';

it('refuses one service whose data are damaged and opens the others', async () => {
  const engine = new MemoryEngine();
  const recover = engine.recover.bind(engine);
  let damaged = true;
  engine.recover = (service) => {
    if (damaged && service === 1) throw new Error('Damaged row (message 5 of service 1)');
    return recover(service);
  };
  const random = new SeededRandom(1);
  const clock = new VirtualClock(random.fork());
  const broker = new Broker({ engine, clock, random, log: silentLog });
  const settings = settingsOf({});
  await clock.run(engine.start());
  const broken = clock.run(broker.open({ number: 1, name: 'broken', settings }));
  await expect(broken).rejects.toThrow('Damaged row');
  expect(broker.find('broken')).toBeUndefined();
  const sound = await clock.run(broker.open({ number: 2, name: 'sound', settings }));
  await expect(clock.run(sound.put('input', putRequest('a')))).resolves.toMatchObject({ index: 1 });
  damaged = false;
  await clock.run(broker.open({ number: 1, name: 'broken', settings }));
  await clock.run(broker.stop());
});

it('tells everybody who waits that the service was deleted', async () => {
  await inWorld({}, async (world) => {
    const consumer = await world.watch('w');
    const get = world.queues.get('sink', getRequest({ timeoutMs: 60_000 }), undefined);
    const byId = world.queues.get('sink', getRequest({ timeoutMs: 60_000, id: 'a' }), undefined);
    await world.settle();
    const gone = { code: 'not_found', message: `the service ${serviceName} was deleted` };
    const refusals = [get, byId].map((each) => expect(each).rejects.toMatchObject(gone));
    await world.run(world.drop());
    await Promise.all(refusals);
    expect(consumer.ended).toBe('deleted');
    expect(() => world.queues.put('input', putRequest('b'))).toThrow(gone.message);
  });
});
