// `sluice delete`: removes a service with everything in its queues, after asking.

import type { AdminClient } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context } from '../context.ts';
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
Examples:
  sluice delete demo
  sluice delete demo --yes        in a script: nobody is asked`,
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
  const held = `${waiting} waiting, ${running} running, ${results} results`;
  if (options.yes !== true) {
    const question = `Delete service ${name} with its queues (${held})?`;
    if (!(await context.output.confirm(question, context.interrupted))) {
      throw new CommandError(`${name} was not deleted (--yes deletes without asking)`);
    }
  }
  await client.deleteService(name);
  context.output.result({ deleted: name, waiting, running, results }, () => [
    `Service ${name} is deleted (${held})`,
  ]);
}
