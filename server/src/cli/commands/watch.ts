// `sluice watch`: prints results as they come, and commits each once it is printed.

import { Command } from 'commander';
import { collectTag, positiveNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { printMessage } from '../message.ts';
import { chosenQueue, type QueueChoice, queueOptions, withQueues } from '../queues.ts';

interface WatchOptions extends QueueChoice {
  readonly window?: number;
  readonly autoCommit?: boolean;
  readonly tag?: ReadonlyMap<string, string>;
  readonly id?: string;
}

export function watchCommand(context: Context): Command {
  const command = new Command('watch')
    .description('print results as they come; Ctrl-C ends it')
    .argument('<service>', 'its name')
    .option('--window <count>', 'uncommitted messages at a time', positiveNumber)
    .option('--auto-commit', 'commit when sent, not when printed: faster, at most once')
    .option('--tag <name=value>', 'only messages with that tag; repeatable', collectTag)
    .option('--id <id>', 'only the result of that request');
  for (const option of queueOptions('sink')) command.addOption(option);
  command.addHelpText(
    'after',
    `
A result is committed, and so removed, once it is printed; what can't be printed any more stays.

Examples:
  sluice watch demo
  sluice watch demo --tag user=7 --json | jq -r .text
  sluice watch demo --input --rear          what is dead, and dies from now on`,
  );
  return command.action(async (service: string, options: WatchOptions) => {
    await withQueues(context, command, service, async (queues) => {
      const queue = chosenQueue(queues, options, 'sink');
      const watch = queue.watch({
        window: options.window,
        autoCommit: options.autoCommit,
        tags: options.tag,
        id: options.id,
        signal: context.interrupted,
      });
      for await (const delivery of watch) {
        // What could not be printed is not committed: somebody else gets it.
        await printMessage(context, delivery, 'oneOfMany');
        if (options.autoCommit !== true) await delivery.commit();
      }
      if (context.interrupted.aborted) throw new CommandError('interrupted');
      context.output.note('The queue has ended: nothing more will come');
    });
  });
}
