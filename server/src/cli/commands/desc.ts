// `sluice desc`: everything about one service.

import type { AdminClient, QueueInfo, ServiceDescription } from '@sluice/sdk';
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { withService } from '../services.ts';
import { type Column, sheet, shortInstant, table } from '../tables.ts';

export function descCommand(context: Context): Command {
  const command = new Command('desc');
  return command
    .alias('describe')
    .description('everything about one service')
    .argument('<service>', 'its name')
    .addHelpText(
      'after',
      `
LatestVersion is the newest revision, counted up by every change; CurrentVersion is the one for
which what runs was first started. \`sluice w\` lists the instances.

Examples:
  sluice desc ocr
  sluice desc ocr --json | jq .queues`,
    )
    .action(async (name: string) => {
      const [service, instances, queues] = await withService(context, command, name, (client) =>
        Promise.all([client.service(name), client.instances(name), queuesOf(client, name)]),
      );
      context.output.result({ ...service, instanceList: instances, queues }, () => [
        ...sheet(rowsOf(service)),
        ...(queues.length === 0 ? [] : table(queueColumns, queues)),
      ]);
    });
}

/** None while it is stopped. */
async function queuesOf(client: AdminClient, name: string): Promise<readonly QueueInfo[]> {
  const { status } = await client.service(name);
  return status === 'Stopped' ? [] : client.queues(name);
}

function rowsOf(service: ServiceDescription): readonly [string, string | number][] {
  const { instances, resources, endpoint, rollout } = service;
  const memory = Math.round(resources.memoryBytes / 2 ** 20);
  return [
    ['Status', service.status],
    ['ServiceName', service.name],
    ['Region', 'local'],
    ['CreateTime', shortInstant(service.createdAt)],
    ['UpdateTime', shortInstant(service.updatedAt)],
    ['AccessToken', service.token === '' ? '(none: an open service)' : service.token],
    ['TotalInstance', instances.wanted],
    ['RunningInstance', instances.running],
    ['PendingInstance', instances.pending],
    ...(instances.failed === 0 ? [] : [['FailedInstance', instances.failed] as [string, number]]),
    ['CPU', resources.cpuMillis === 0 ? '-' : resources.cpuMillis / 1000],
    ['GPU', resources.gpus],
    ['Memory', memory === 0 ? '-' : `${memory}M`],
    ['Image', service.image],
    ['Source', service.source],
    ['Weight', 0],
    ['LatestVersion', service.revision],
    ['CurrentVersion', service.sourceRevision],
    ['Autoscaler', service.autoscaled ? 'on' : 'off'],
    ['Message', service.message],
    ...(rollout.state === 'done' ? [] : [['Rollout', rollout.text] as [string, string]]),
    ...service.warnings.map((warning): [string, string] => ['Remark', warning]),
    // There is one address, under both of its names in eascmd.
    ['InternetEndpoint', endpoint],
    ['IntranetEndpoint', endpoint],
    ['SinkEndpoint', `${endpoint}/sink`],
    ['ServiceConfig', JSON.stringify(service.definition, undefined, 2)],
  ];
}

const queueColumns: readonly Column<QueueInfo>[] = [
  { head: 'QUEUE', read: (queue) => (queue.ended ? `${queue.name} (ended)` : queue.name) },
  { head: 'LENGTH', read: (queue) => queue.length },
  { head: 'WAITING', read: (queue) => queue.waiting },
  { head: 'BACKING OFF', read: (queue) => queue.backingOff },
  { head: 'LEASED', read: (queue) => queue.leased },
  { head: 'RESERVED', read: (queue) => queue.reserved },
  { head: 'CAPACITY', read: (queue) => queue.capacity },
  { head: 'LAST INDEX', read: (queue) => queue.lastIndex },
  { head: 'CONSUMERS', read: (queue) => queue.consumers.length },
];
