// `sluice get`: takes results out of the sink queue, or messages out of another one.

import { Command } from 'commander';
import { collectTag, duration, positiveNumber, wholeNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { printMessage, shownMessage } from '../message.ts';
import { chosenQueue, type QueueChoice, queueOptions, withQueues } from '../queues.ts';

interface GetOptions extends QueueChoice {
  readonly id?: string;
  readonly tag?: ReadonlyMap<string, string>;
  readonly from: number;
  readonly length: number;
  readonly timeout: number;
  readonly keep?: boolean;
}

export function getCommand(context: Context): Command {
  const command = new Command('get')
    .description('take results out of the sink queue')
    .argument('<service>')
    .option('--id <id>', 'only the result of that request')
    .option('--tag <name=value>', 'only messages with that tag; repeatable', collectTag)
    .option('--from <index>', 'the first index to consider', wholeNumber, 0)
    .option('-n, --length <count>', 'at most that many', positiveNumber, 1)
    .option('-t, --timeout <time>', 'wait for them so long', duration, 0)
    .option('-k, --keep', 'leave them in the queue');
  for (const option of queueOptions('sink')) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Ends with exit code 1 when there is nothing.

Examples:
  sluice get demo --timeout 30s
  sluice get demo --id 0b7e... --keep
  sluice get demo --input --rear --length 10 --keep     what is dead`,
    )
    .action(async (service: string, options: GetOptions) => {
      const messages = await withQueues(context, command, service, (queues) =>
        chosenQueue(queues, options, 'sink').get({
          id: options.id,
          tags: options.tag,
          from: options.from,
          length: options.length,
          waitMs: options.timeout,
          autoDelete: options.keep !== true,
          signal: context.interrupted,
        }),
      );
      if (context.output.isJson) {
        context.output.result(messages.map(shownMessage), () => []);
      } else {
        for (const message of messages) await printMessage(context, message);
      }
      if (messages.length === 0) throw new CommandError('nothing there');
    });
}
