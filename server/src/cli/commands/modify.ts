// `sluice modify`: changes some fields of a service and leaves the others as they are.

import type { ServiceChange } from '@sluice/sdk';
import { Command } from 'commander';
import { type Assignments, assignmentOption } from '../assignments.ts';
import { CommandError, type Context } from '../context.ts';
import { readDefinition } from '../definitions.ts';
import {
  addWaitOptions,
  conclude,
  type DeployFlags,
  dryRunOption,
  showDryRun,
  strictOption,
} from '../deploying.ts';
import { withService } from '../services.ts';

interface ModifyFlags extends DeployFlags {
  readonly service?: string;
  /** Named by commander after its flag, -D. */
  readonly D?: Assignments;
  readonly dryRun?: boolean;
}

export function modifyCommand(context: Context): Command {
  const command = new Command('modify')
    .description('change some fields of a service')
    .argument('<service>', 'its name')
    .option('-s, --service <file>', 'lay this service.json over it; - reads standard input')
    .addOption(assignmentOption('set one field, null removes it'))
    .addOption(dryRunOption())
    .addOption(strictOption());
  return addWaitOptions(command, 'the change is rolled out')
    .addHelpText(
      'after',
      `
A change of what runs starts new instances; old ones leave when those are ready, and finish what
they work on. When no new one gets ready, the change is taken back by itself.

Examples:
  sluice modify ocr -Dmetadata.instance=3
  sluice modify ocr -D metadata.cpu=4 -D queue.max_delivery=3 --dry-run
  sluice modify ocr -s service.json`,
    )
    .action(async (name: string, flags: ModifyFlags) => {
      const change = await changeOf(context, flags);
      const options = { strict: flags.strict === true, dryRun: flags.dryRun === true };
      await withService(context, command, name, async (client) => {
        const answer = await client.modifyService(name, change, options);
        if (options.dryRun) showDryRun(context, answer);
        else await conclude(context, client, answer, flags);
      });
    });
}

async function changeOf(context: Context, flags: ModifyFlags): Promise<ServiceChange> {
  const { service: file, D: assignments } = flags;
  if (file === undefined && assignments === undefined) {
    throw new CommandError('say what to change: -Dmetadata.instance=3, or -s service.json');
  }
  return {
    ...(file === undefined ? {} : { merge: await readDefinition(context, file) }),
    ...(assignments === undefined ? {} : { set: Object.fromEntries(assignments) }),
  };
}
