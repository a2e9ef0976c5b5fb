// `sluice ls`: the services and how they are.

import { AdminClient, type ServiceSummary } from '@sluice/sdk';
import { Command } from 'commander';
import { type Context, findServer } from '../context.ts';
import { type Column, printable, shortInstant, table } from '../tables.ts';

interface ListFlags {
  readonly long?: boolean;
}

export function lsCommand(context: Context): Command {
  const command = new Command('ls');
  return command
    .alias('list')
    .description('list the services')
    .option('-l, --long', 'also what waits, runs and lies in the sink of each')
    .addHelpText(
      'after',
      `
Below the table stands what keeps services from running. REGION and WEIGHT are there for scripts
that know eascmd: there is one region, local, and no shared traffic.

Examples:
  sluice ls
  sluice ls --long
  sluice ls --json | jq -r '.[] | select(.status != "Running") | .name'`,
    )
    .action(async ({ long }: ListFlags) => {
      const services = await new AdminClient(await findServer(context, command)).services();
      const shown = long === true ? [...columns, ...longColumns] : columns;
      context.output.result(services, () =>
        services.length === 0
          ? ['no services: make one with `sluice create service.json`']
          : [...table(shown, services), ...services.flatMap(trouble)],
      );
    });
}

function trouble({ name, status, message }: ServiceSummary): readonly string[] {
  if (status === 'Running' || message === '') return [];
  return [printable(`${name} is ${status}: ${message}`)];
}

const columns: readonly Column<ServiceSummary>[] = [
  { head: 'SERVICENAME', read: ({ name }) => name },
  { head: 'REGION', read: () => 'local' },
  { head: 'INSTANCE', read: ({ instances }) => instances.wanted },
  { head: 'CREATETIME', read: ({ createdAt }) => shortInstant(createdAt) },
  { head: 'UPDATETIME', read: ({ updatedAt }) => shortInstant(updatedAt) },
  { head: 'STATUS', read: ({ status }) => status },
  { head: 'WEIGHT', read: () => 0 },
  { head: 'SERVICEPATH', read: ({ name }) => `/api/predict/${encodeURIComponent(name)}` },
];

const longColumns: readonly Column<ServiceSummary>[] = [
  { head: 'READY', read: ({ instances }) => `${instances.running}/${instances.wanted}` },
  { head: 'VERSION', read: ({ revision }) => revision },
  { head: 'WAITING', read: ({ waiting }) => waiting },
  { head: 'RUNNING', read: ({ running }) => running },
  { head: 'RESULTS', read: ({ results }) => results },
];
