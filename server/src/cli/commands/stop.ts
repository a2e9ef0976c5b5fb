// `sluice stop`: takes a service out of use; what waits in its queues stays for the next start.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { addWaitOptions, type WaitFlags } from '../deploying.ts';
import { withService } from '../services.ts';
import { waitUntilStopped } from '../waiting.ts';

interface StopFlags extends WaitFlags {
  readonly now?: boolean;
}

export function stopCommand(context: Context): Command {
  const command = new Command('stop')
    .description('take a service out of use; its data stay')
    .argument('<service>', 'its name')
    .option('--now', 'cut running requests off instead of waiting; they are done after a start');
  return addWaitOptions(command, 'it is stopped')
    .addHelpText(
      'after',
      `
Running requests are finished first, however long they take. While a service is stopped, puts and
gets are refused with 503; what its queues hold stays.

Examples:
  sluice stop ocr
  sluice stop ocr --now`,
    )
    .action(async (name: string, flags: StopFlags) => {
      await withService(context, command, name, async (client) => {
        await client.stopService(name, { now: flags.now === true });
        const options = { timeoutMs: flags.timeout, revision: 0 };
        const service = flags.wait
          ? await waitUntilStopped(context, client, name, options)
          : await client.service(name);
        if (!flags.wait) context.output.ok(`Service is ${service.status}`);
        if (context.output.isJson) {
          context.output.result({ service: name, status: service.status }, () => []);
        }
      });
    });
}
