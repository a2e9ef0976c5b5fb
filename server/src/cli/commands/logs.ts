// `sluice logs`: what the instances of a service wrote.

import type { AdminClient } from '@sluice/sdk';
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
  sluice logs demo --follow             until Ctrl-C
  sluice logs demo demo-sky7m           one of its instances (sluice desc demo names them)`,
    )
    .action((name: string, only: string | undefined, options: LogsOptions) =>
      withService(context, command, name, (client) =>
        printLogs(context, client, { name, only, options }),
      ),
    );
}

async function printLogs(
  context: Context,
  client: AdminClient,
  choice: {
    readonly name: string;
    readonly only: string | undefined;
    readonly options: LogsOptions;
  },
): Promise<void> {
  const { name, only, options } = choice;
  const all = (await client.instances(name)).map((instance) => instance.name);
  if (only !== undefined && !all.includes(only)) {
    const others = all.length === 0 ? 'it has none' : `it has: ${all.join(', ')}`;
    throw new CommandError(`${name} has no instance ${only}; ${others}`);
  }
  const chosen = only === undefined ? all : [only];
  if (chosen.length === 0) {
    throw new CommandError(`${name} has no instances now (sluice desc ${name} says why)`);
  }
  const print = (instance: string): Promise<void> =>
    printLog(context, client, { name, instance, options, isOneOf: chosen.length });
  if (options.follow === true) await Promise.all(chosen.map(print));
  else for (const instance of chosen) await print(instance);
}

interface Log {
  readonly name: string;
  readonly instance: string;
  readonly options: LogsOptions;
  /** How many logs are printed: with several each line begins with its instance. */
  readonly isOneOf: number;
}

async function printLog(context: Context, client: AdminClient, log: Log): Promise<void> {
  const { follow = false, tail } = log.options;
  const pieces = client.logs(log.name, log.instance, {
    follow,
    signal: context.interrupted,
    ...(tail === undefined ? {} : { tail }),
  });
  const print = (line: string): Promise<void> =>
    context.output.print({ instance: log.instance, line }, () => [
      log.isOneOf > 1 ? `${log.instance} | ${line}` : line,
    ]);
  let rest = '';
  for await (const piece of pieces) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) await print(line);
  }
  if (rest !== '') await print(rest);
  if (context.interrupted.aborted) throw new CommandError('interrupted');
}
