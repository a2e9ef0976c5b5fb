// `sluice delete`: removes a service with everything in its queues, after asking.

import type { AdminClient } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context } from '../context.ts';
import { confirm } from '../question.ts';
import { withService } from '../services.ts';

interface DeleteOptions {
  readonly yes?: boolean;
}

export function deleteCommand(context: Context): Command {
  const command = new Command('delete');
  return command
    .alias('rm')
    .description('remove a service with its queues and everything in them')
    .argument('<service>', 'its name')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
Asks before it does so, and says how much would go. \`sluice stop\` keeps the data.

Examples:
  sluice delete ocr
  sluice delete ocr --yes        in a script: nobody is asked`,
    )
    .action((name: string, options: DeleteOptions) =>
      withService(context, command, name, (client) => remove(context, client, name, options)),
    );
}

async function remove(
  context: Context,
  client: AdminClient,
  name: string,
  options: DeleteOptions,
): Promise<void> {
  const { waiting, running, results } = await client.service(name);
  const held = heldText({ waiting, running, results });
  if (options.yes !== true) {
    const question = `Delete service ${name} with its queues (${held})?`;
    if (!(await confirm(context, question, { usual: 'yes' }))) {
      throw new CommandError(`${name} was not deleted (--yes deletes without asking)`);
    }
  }
  await client.deleteService(name);
  context.output.ok(`Service ${name} is deleted (${held})`);
  if (context.output.isJson) {
    context.output.result({ deleted: name, waiting, running, results }, () => []);
  }
}

/** What goes with a service. */
export function heldText(held: {
  readonly waiting: number;
  readonly running: number;
  readonly results: number;
}): string {
  return `${held.waiting} waiting, ${held.running} running, ${held.results} results`;
}
