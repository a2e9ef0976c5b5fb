// The queues of a service: their state and counters, and the undoing of an end of stream.

import type { QueueConsumer, QueueInfo } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { ConsumerView, Queues } from '../../../broker/queues.ts';
import { type QueueName, queueNames } from '../../../queue/message.ts';
import type { Administration } from '../administration.ts';
import { type Route, route } from '../route.ts';
import { bodyQueue, pathName } from '../schemas.ts';

const params = z.object({ name: pathName });

export function queueRoutes(administration: Administration): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/services/{name}/queues',
      summary: 'Input, sink and their rear queues: state, consumers, groups, counters',
      params,
      answer: { kind: 'list', of: 'QueueInfo' },
      run: async ({ params: { name } }) => {
        const queues = administration.queues(name);
        return queueNames.map((queue) => describe(queues, queue));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/reopen',
      summary: 'Undo an end of stream',
      params,
      body: z.strictObject({ queue: bodyQueue }),
      answer: { kind: 'nothing' },
      run: ({ params: { name }, body: { queue } }) => administration.reopen(name, queue),
    }),
  ];
}

function describe(queues: Queues, queue: QueueName): QueueInfo {
  const { leftBehind: _, isClosed: __, ...view } = queues.view(queue);
  return {
    ...view,
    consumers: view.consumers.map(withPlainTags),
    counters: queues.counters(queue),
  };
}

function withPlainTags(consumer: ConsumerView): QueueConsumer {
  return { ...consumer, tags: Object.fromEntries(consumer.tags) };
}
