// `sluice delete`: removes a service with everything in its queues, after asking.

import { AdminClient } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context, findServer } from '../context.ts';

export function deleteCommand(context: Context): Command {
  const command = new Command('delete');
  return command
    .alias('rm')
    .description('remove a service with its queues and everything in them')
    .argument('<service>')
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: { readonly yes?: boolean }) => {
      const client = new AdminClient(await findServer(context, command));
      const { waiting, running, results } = await client.service(name);
      const held = `${waiting} waiting, ${running} running, ${results} results`;
      if (options.yes !== true) {
        const question = `Delete service ${name} with its queues (${held})?`;
        if (!(await context.output.confirm(question))) {
          throw new CommandError(`${name} was not deleted (--yes deletes without asking)`);
        }
      }
      await client.deleteService(name);
      context.output.result({ deleted: name, waiting, running, results }, () => [
        `Service ${name} is deleted (${held})`,
      ]);
    });
}
