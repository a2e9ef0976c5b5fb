// `sluice start`: puts a stopped service into use again, with everything its queues held.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { addWaitOptions, type WaitFlags } from '../deploying.ts';
import { withService } from '../services.ts';
import { waitUntilRunning } from '../waiting.ts';

export function startCommand(context: Context): Command {
  const command = new Command('start')
    .description('put a stopped service into use again')
    .argument('<service>', 'its name');
  return addWaitOptions(command, 'it runs')
    .addHelpText(
      'after',
      `
Examples:
  sluice start ocr
  sluice start ocr --timeout 30m      a model that takes long to load`,
    )
    .action(async (name: string, flags: WaitFlags) => {
      await withService(context, command, name, async (client) => {
        await client.startService(name);
        const options = { timeoutMs: flags.timeout, revision: 0 };
        const service = flags.wait
          ? await waitUntilRunning(context, client, name, options)
          : await client.service(name);
        if (!flags.wait) context.output.ok(`Service is ${service.status}`);
        if (context.output.isJson) {
          context.output.result({ service: name, status: service.status }, () => []);
        }
      });
    });
}
