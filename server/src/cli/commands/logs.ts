// `sluice logs`: what the instances of a service wrote.

import { type AdminClient, PlatformError } from '@sluice/sdk';
import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { withService } from '../services.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
}

export function logsCommand(context: Context): Command {
  const command = new Command('logs');
  return command
    .description('what the instances of a service wrote')
    .argument('<service>', 'its name')
    .argument('[instance]', 'one instance; all of them without it')
    .option('-f, --follow', 'go on with what is written from now on')
    .option('-n, --tail <lines>', 'begin with that many lines', wholeNumber)
    .addHelpText(
      'after',
      `
Examples:
  sluice logs demo --tail 100
  sluice logs demo --follow             of instances that start later too, until Ctrl-C
  sluice logs demo demo-sky7m           one of its instances (sluice w demo names them)`,
    )
    .action((name: string, only: string | undefined, options: LogsOptions) =>
      withService(context, command, name, (client) =>
        printLogs(context, client, { name, only, options }),
      ),
    );
}

interface Choice {
  readonly name: string;
  readonly only: string | undefined;
  readonly options: LogsOptions;
}

async function printLogs(context: Context, client: AdminClient, choice: Choice): Promise<void> {
  const { name, only } = choice;
  if (only !== undefined) return printOne(context, client, { ...choice, only });
  const { follow = false } = choice.options;
  const count = (await client.instances(name)).length;
  const why = `(sluice desc ${name} says why)`;
  if (count === 0 && !follow) throw new CommandError(`${name} has no instances now ${why}`);
  if (count === 0) context.output.note(`${name} has no instances now ${why}; waiting for one`);
  // A follower may meet more of them later.
  await print(context, client, choice, follow || count > 1);
  if (!follow) return;
  const isThere = (await client.services()).some((service) => service.name === name);
  if (isThere) throw new CommandError('the server has ended the log: it stops');
  context.output.note(`${name} is deleted: nothing more will come`);
}

async function printOne(
  context: Context,
  client: AdminClient,
  choice: Choice & { readonly only: string },
): Promise<void> {
  const { name, only } = choice;
  try {
    await print(context, client, choice, false);
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'not_found') throw error;
    const all = (await client.instances(name)).map((instance) => instance.name);
    if (all.includes(only)) throw error;
    const others = all.length === 0 ? 'it has none' : `it has: ${all.join(', ')}`;
    throw new CommandError(`${name} has no instance ${only}; ${others}`);
  }
}

/** Resolves when there is nothing more; throws when the command is interrupted. */
async function print(
  context: Context,
  client: AdminClient,
  { name, only, options }: Choice,
  isPrefixed: boolean,
): Promise<void> {
  const { tail, follow } = options;
  const signal = context.interrupted;
  for await (const entry of client.serviceLogs(name, { tail, follow, instance: only, signal })) {
    const { instance, line } = entry;
    await context.output.print(entry, () => [isPrefixed ? `${instance} | ${line}` : line]);
  }
  if (signal.aborted) throw new CommandError('interrupted');
}
