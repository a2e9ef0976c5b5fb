// `sluice get`: takes results out of the sink queue, or messages out of another one.

import type { Message, QueueClient } from '@sluice/sdk';
import { Command } from 'commander';
import { showDuration } from '../../config/duration.ts';
import { collectTag, durationOption, positiveNumber, wholeNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { printMessage, shownMessage, throwIfFailed } from '../message.ts';
import { chosenQueue, type QueueChoice, queueOptions, withQueues } from '../queues.ts';

interface GetOptions extends QueueChoice {
  readonly id?: string;
  readonly tag?: ReadonlyMap<string, string>;
  readonly from: number;
  readonly length: number;
  readonly timeout: number;
  readonly keep?: boolean;
}

const shownAfterMs = 1000;

export function getCommand(context: Context): Command {
  const command = new Command('get')
    .description('take results out of the sink queue')
    .argument('<service>', 'its name')
    .option('--id <id>', 'only the result of that request')
    .option('--tag <name=value>', 'only messages with that tag; repeatable', collectTag)
    .option('--from <index>', 'the first index to consider', wholeNumber, 0)
    .option('-n, --length <count>', 'at most that many', positiveNumber, 1)
    .addOption(durationOption('-t, --timeout <time>', 'wait for them so long', '0s'))
    .option('-k, --keep', 'leave them in the queue');
  for (const option of queueOptions('sink')) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Ends with exit code 1 when there is nothing, or when the request of --id has failed.

Examples:
  sluice get demo --timeout 30s > result.json
  sluice get demo --id 0b7e... --keep
  sluice get demo --input --rear --length 10 --keep     what is dead`,
    )
    .action(async (service: string, options: GetOptions) => {
      const messages = await withQueues(context, command, service, (queues) =>
        get(context, chosenQueue(queues, options, 'sink'), options),
      );
      if (context.output.isJson) {
        context.output.result(messages.map(shownMessage), () => []);
      } else {
        const how = options.length > 1 ? 'oneOfMany' : 'only';
        for (const message of messages) await printMessage(context, message, how);
      }
      const [first] = messages;
      if (first === undefined) throw new CommandError(nothing(options));
      if (options.id !== undefined) throwIfFailed(first);
    });
}

/** A wait that lasts is shown, so that nobody takes it for a hang. */
async function get(
  context: Context,
  queue: QueueClient,
  options: GetOptions,
): Promise<readonly Message[]> {
  const { id, tag, from, length, timeout, keep } = options;
  const waiting = context.clock.after(shownAfterMs, () =>
    context.output.progress(`Waiting at most ${showDuration(timeout)} (Ctrl-C ends it)`),
  );
  try {
    return await queue.get({
      id,
      tags: tag,
      from,
      length,
      waitMs: timeout,
      autoDelete: keep !== true,
      signal: context.interrupted,
    });
  } finally {
    waiting.cancel();
  }
}

function nothing({ timeout, id }: GetOptions): string {
  const what = id === undefined ? 'nothing there' : `no result of request ${id}`;
  if (timeout > 0) return `${what} after ${showDuration(timeout)}`;
  return `${what} now (--timeout 30s waits for it)`;
}
