// `sluice create`: deploys a service.json and waits until the service works, or says why not.

import { AdminClient, PlatformError } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context, findServer } from '../context.ts';
import { readDefinition } from '../definitions.ts';
import { access, addWaitOptions, conclude, type DeployFlags, strictOption } from '../deploying.ts';

export function createCommand(context: Context): Command {
  const command = new Command('create')
    .description('deploy a service.json')
    .argument('<file>', 'service.json; comments are fine; - reads standard input')
    .addOption(strictOption());
  return addWaitOptions(command, 'the service runs')
    .addHelpText(
      'after',
      `
An existing service is left alone: modify changes it, apply makes it what a file says.
Ends with exit code 1 when the service does not come up; it is there all the same.

Examples:
  sluice init ocr && sluice create service.json
  sluice create service.json --no-wait`,
    )
    .action(async (file: string, flags: DeployFlags) => {
      const client = new AdminClient(await findServer(context, command));
      const definition = await readDefinition(context, file);
      const strict = flags.strict === true;
      const answer = await client.createService(definition, { strict }).catch(explainTaken);
      if (!context.output.isJson) context.output.result(answer, () => access(answer));
      await conclude(context, client, answer, flags);
    });
}

function explainTaken(error: unknown): never {
  if (!(error instanceof PlatformError && error.code === 'conflict')) throw error;
  throw new CommandError(`${error.message} (sluice apply FILE updates it)`);
}
