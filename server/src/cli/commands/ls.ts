// `sluice ls`: the services and how they are.

import { AdminClient, type ServiceSummary } from '@sluice/sdk';
import { Command } from 'commander';
import { showDuration } from '../../config/duration.ts';
import { type Context, findServer } from '../context.ts';
import { type Column, table } from '../output.ts';

export function lsCommand(context: Context): Command {
  const command = new Command('ls');
  return command
    .alias('list')
    .description('list the services')
    .addHelpText(
      'after',
      `
Examples:
  sluice ls
  sluice ls --json | jq -r '.[] | select(.status != "Running") | .name'`,
    )
    .action(async () => {
      const services = await new AdminClient(await findServer(context, command)).services();
      context.output.result(services, () =>
        services.length === 0
          ? ['no services: make one with `sluice create service.json`']
          : table(columns(context.clock.now().wall), services),
      );
    });
}

function columns(now: number): readonly Column<ServiceSummary>[] {
  return [
    { head: 'SERVICE', read: (service) => service.name },
    { head: 'STATUS', read: (service) => service.status },
    {
      head: 'INSTANCES',
      align: 'right',
      read: ({ instances }) => `${instances.running}/${instances.wanted}`,
    },
    { head: 'WAITING', align: 'right', read: (service) => service.waiting },
    { head: 'RUNNING', align: 'right', read: (service) => service.running },
    { head: 'RESULTS', align: 'right', read: (service) => service.results },
    { head: 'REVISION', align: 'right', read: (service) => service.revision },
    {
      head: 'UPDATED',
      read: (service) => `${showDuration(Math.max(0, now - Date.parse(service.updatedAt)))} ago`,
    },
    { head: 'MESSAGE', read: (service) => service.message },
  ];
}
