// `sluice logs`: what the instances of a service wrote.

import { AdminClient } from '@sluice/sdk';
import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { CommandError, type Context, findServer } from '../context.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
}

export function logsCommand(context: Context): Command {
  const command = new Command('logs');
  return command
    .description('what the instances of a service wrote')
    .argument('<service>')
    .argument('[instance]', 'one instance; all of them without it')
    .option('-f, --follow', 'go on with what is written from now on')
    .option('-n, --tail <lines>', 'begin with that many lines', wholeNumber)
    .action(async (name: string, only: string | undefined, options: LogsOptions) => {
      const client = new AdminClient(await findServer(context, command));
      const all = (await client.instances(name)).map((instance) => instance.name);
      const chosen = only === undefined ? all : [only];
      if (chosen.length === 0) throw new CommandError(`${name} has no instances`);
      const print = (instance: string): Promise<void> =>
        printLog(context, client, { name, instance, options, isOneOf: chosen.length });
      if (options.follow === true) await Promise.all(chosen.map(print));
      else for (const instance of chosen) await print(instance);
    });
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
  const print = (line: string): void =>
    context.output.record({ instance: log.instance, line }, () => [
      log.isOneOf > 1 ? `${log.instance} | ${line}` : line,
    ]);
  let rest = '';
  try {
    for await (const piece of pieces) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) print(line);
    }
  } catch (error) {
    if (!context.interrupted.aborted) throw error;
  }
  if (rest !== '') print(rest);
}
