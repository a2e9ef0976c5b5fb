// `sluice watch`: prints results as they come, and commits each once it is printed.

import { Command } from 'commander';
import { collectTag, positiveNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
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
    .argument('<service>')
    .option('--window <count>', 'uncommitted messages at a time', positiveNumber)
    .option('--auto-commit', 'commit when sent, not when printed: faster, at most once')
    .option('--tag <name=value>', 'only messages with that tag; repeatable', collectTag)
    .option('--id <id>', 'only the result of that request');
  for (const option of queueOptions('sink')) command.addOption(option);
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
      try {
        for await (const delivery of watch) {
          await printMessage(context, delivery);
          if (options.autoCommit !== true) await delivery.commit();
        }
      } catch (error) {
        if (!context.interrupted.aborted) throw error;
      }
    });
  });
}
