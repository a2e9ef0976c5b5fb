// `sluice reopen`: undoes an end of stream.

import type { ServiceQueue } from '@sluice/sdk';
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { withService } from '../services.ts';

interface ReopenOptions {
  readonly sink?: boolean;
  readonly rear?: boolean;
}

export function reopenCommand(context: Context): Command {
  const command = new Command('reopen');
  return command
    .description('undo an end of stream: the queue takes messages again')
    .argument('<service>', 'its name')
    .option('--sink', 'the sink queue instead of the input queue')
    .option('--rear', 'the rear queue of the chosen one')
    .addHelpText(
      'after',
      `
Examples:
  sluice reopen demo              requests are taken again
  sluice reopen demo --sink       results are`,
    )
    .action(async (name: string, options: ReopenOptions) => {
      const queue = queueOf(options);
      await withService(context, command, name, (client) => client.reopen(name, queue));
      context.output.result({ service: name, queue, ended: false }, () => [
        `The ${queue} queue of ${name} takes messages again`,
      ]);
    });
}

function queueOf(options: ReopenOptions): ServiceQueue {
  if (options.sink === true) return options.rear === true ? 'sinkRear' : 'sink';
  return options.rear === true ? 'inputRear' : 'input';
}
