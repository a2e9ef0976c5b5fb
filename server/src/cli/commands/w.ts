// `sluice w`: the instances of a service, and the one that holds its queues.

import type { InstanceInfo, LastExit, ServerInfo, ServiceDescription } from '@sluice/sdk';
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { withService } from '../services.ts';
import { type Column, shortInstant, table } from '../tables.ts';

export function wCommand(context: Context): Command {
  const command = new Command('w');
  return command
    .alias('showworkers')
    .description('list the instances of a service, and that of its queues')
    .argument('<service>', 'its name')
    .addHelpText(
      'after',
      `
The last line is the queue sub-service. It is there while the service is not stopped, also when no
other instance is. REASON says why an instance is not running, LASTSTATE how its last run ended.

Examples:
  sluice w ocr
  sluice w ocr --json | jq -r '.[] | select(.ready | not) | .name'`,
    )
    .action(async (name: string) => {
      const [service, instances, server] = await withService(context, command, name, (client) =>
        Promise.all([client.service(name), client.instances(name), client.server()]),
      );
      const all = [...instances, ...queueInstances(service, server)];
      context.output.result(all, () => table(columns(new URL(service.endpoint).hostname), all));
    });
}

/** The embedded engine runs the queues of a service in one place: the server itself. */
function queueInstances(
  service: ServiceDescription,
  { startedAt }: ServerInfo,
): readonly InstanceInfo[] {
  if (service.status === 'Stopped') return [];
  return [
    {
      name: `${service.name}-queue`,
      kind: 'queue',
      state: service.status === 'Creating' ? 'Starting' : 'Running',
      message: '',
      address: new URL(service.endpoint).origin,
      pid: 0,
      revision: service.revision,
      // As text both sort by time.
      startedAt: startedAt > service.createdAt ? startedAt : service.createdAt,
      restarts: 0,
      window: 0,
      busy: 0,
      ready: service.status !== 'Creating',
      host: '',
      lastExit: null,
    },
  ];
}

function columns(server: string): readonly Column<InstanceInfo>[] {
  return [
    { head: 'INSTANCENAME', read: ({ name }) => name },
    { head: 'INNERIP', read: ({ address }) => hostOf(address) },
    { head: 'HOSTIP', read: (instance) => machineOf(instance, server) },
    { head: 'STARTAT', read: ({ startedAt }) => shortInstant(startedAt) },
    { head: 'RESTARTS', read: ({ restarts }) => restarts },
    { head: 'STATUS', read: ({ state }) => state },
    { head: 'READY', read: ({ ready }) => (ready ? '[1/1]' : '[0/1]') },
    { head: 'REASON', read: ({ message }) => message },
    { head: 'LASTSTATE', read: ({ lastExit }) => (lastExit === null ? '' : lastState(lastExit)) },
  ];
}

/** With the port: several instances may share an address. */
function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}

function machineOf({ host, kind, address }: InstanceInfo, server: string): string {
  if (host !== '') return host;
  return kind === 'endpoint' && URL.canParse(address) ? new URL(address).hostname : server;
}

/** In the words of eascmd. */
function lastState({ code, signal, reason, startedAt, endedAt }: LastExit): string {
  const ending = code === null ? `signal: ${signal ?? 'none'}` : `exitCode: ${code}`;
  const times = `startedAt: ${shortInstant(startedAt)}, finishedAt: ${shortInstant(endedAt)}`;
  return `${ending}, reason: ${reason}, ${times}`;
}
