// `sluice reopen`: undoes an end of stream.

import { AdminClient, type ServiceQueue } from '@sluice/sdk';
import { Command } from 'commander';
import { type Context, findServer } from '../context.ts';

interface ReopenOptions {
  readonly sink?: boolean;
  readonly rear?: boolean;
}

export function reopenCommand(context: Context): Command {
  const command = new Command('reopen');
  return command
    .description('undo an end of stream: the queue takes messages again')
    .argument('<service>')
    .option('--sink', 'the sink queue instead of the input queue')
    .option('--rear', 'the rear queue of the chosen one')
    .action(async (name: string, options: ReopenOptions) => {
      const client = new AdminClient(await findServer(context, command));
      const queue = queueOf(options);
      await client.reopen(name, queue);
      context.output.result({ service: name, queue, ended: false }, () => [
        `The ${queue} queue of ${name} takes messages again`,
      ]);
    });
}

function queueOf(options: ReopenOptions): ServiceQueue {
  if (options.sink === true) return options.rear === true ? 'sinkRear' : 'sink';
  return options.rear === true ? 'inputRear' : 'input';
}
