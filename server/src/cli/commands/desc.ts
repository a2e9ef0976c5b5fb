// `sluice desc`: everything about one service.

import type { InstanceInfo, QueueInfo, ServiceDescription } from '@sluice/sdk';
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { type Column, pairs, table } from '../output.ts';
import { withService } from '../services.ts';

export function descCommand(context: Context): Command {
  const command = new Command('desc');
  return command
    .alias('describe')
    .description('everything about one service')
    .argument('<service>', 'its name')
    .addHelpText(
      'after',
      `
Examples:
  sluice desc demo
  sluice desc demo --json | jq .queues`,
    )
    .action(async (name: string) => {
      const [service, instances, queues] = await withService(context, command, name, (client) =>
        Promise.all([client.service(name), client.instances(name), client.queues(name)]),
      );
      context.output.result({ ...service, instanceList: instances, queues }, () => [
        ...describe(service),
        '',
        ...table(queueColumns, queues),
        '',
        ...(instances.length === 0 ? ['no instances'] : table(instanceColumns, instances)),
        '',
        'service.json:',
        ...JSON.stringify(service.definition, undefined, 2).split('\n'),
      ]);
    });
}

function describe(service: ServiceDescription): readonly string[] {
  const { wanted, running, pending, failed } = service.instances;
  return pairs([
    ['Service', service.name],
    ['Status', service.status],
    ['Message', service.message],
    ['Endpoint', service.endpoint],
    ['Results', `${service.endpoint}/sink`],
    ['Token', service.token === '' ? '(none: an open service)' : service.token],
    ['Instances', `${running} of ${wanted} running, ${pending} pending, ${failed} failed`],
    ['Revision', service.revision],
    ['Created', service.createdAt],
    ['Updated', service.updatedAt],
    ...service.warnings.map((warning) => ['Remark', warning] as const),
  ]);
}

const queueColumns: readonly Column<QueueInfo>[] = [
  { head: 'QUEUE', read: (queue) => (queue.ended ? `${queue.name} (ended)` : queue.name) },
  { head: 'LENGTH', align: 'right', read: (queue) => queue.length },
  { head: 'WAITING', align: 'right', read: (queue) => queue.waiting },
  { head: 'BACKING OFF', align: 'right', read: (queue) => queue.backingOff },
  { head: 'LEASED', align: 'right', read: (queue) => queue.leased },
  { head: 'RESERVED', align: 'right', read: (queue) => queue.reserved },
  { head: 'CAPACITY', align: 'right', read: (queue) => queue.capacity },
  { head: 'LAST INDEX', align: 'right', read: (queue) => queue.lastIndex },
  { head: 'CONSUMERS', align: 'right', read: (queue) => queue.consumers.length },
];

/** Also shown by other commands that list instances. */
export const instanceColumns: readonly Column<InstanceInfo>[] = [
  { head: 'INSTANCE', read: (instance) => instance.name },
  { head: 'KIND', read: (instance) => instance.kind },
  { head: 'STATE', read: (instance) => instance.state },
  { head: 'BUSY', align: 'right', read: (instance) => `${instance.busy}/${instance.window}` },
  { head: 'RESTARTS', align: 'right', read: (instance) => instance.restarts },
  { head: 'PID', align: 'right', read: (instance) => (instance.pid === 0 ? '-' : instance.pid) },
  { head: 'ADDRESS', read: (instance) => instance.address },
  { head: 'MESSAGE', read: (instance) => instance.message },
];
