// `sluice attrs`: the attributes of a queue, as every client of the protocol sees them.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { chosenQueue, type QueueChoice, queueOptions, withQueues } from '../queues.ts';
import { pairs } from '../tables.ts';

export function attrsCommand(context: Context): Command {
  const command = new Command('attrs')
    .description('the attributes of a queue')
    .argument('<service>', 'its name');
  for (const option of queueOptions('input')) command.addOption(option);
  command.addHelpText(
    'after',
    `
Examples:
  sluice attrs demo
  sluice attrs demo --sink --json | jq -r '."stream.length"'`,
  );
  return command.action(async (service: string, options: QueueChoice) => {
    const attributes = await withQueues(context, command, service, (queues) =>
      chosenQueue(queues, options, 'input').attributes({ signal: context.interrupted }),
    );
    context.output.result(Object.fromEntries(attributes), () => pairs([...attributes]));
  });
}
