// `sluice version`: the versions of a service, and switching back to one of them.

import type { AdminClient, RevisionInfo } from '@sluice/sdk';
import { Command } from 'commander';
import { positiveNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import {
  addWaitOptions,
  conclude,
  dryRunOption,
  showDryRun,
  type WaitFlags,
} from '../deploying.ts';
import { withService } from '../services.ts';
import { type Column, table } from '../tables.ts';

interface VersionFlags extends WaitFlags {
  readonly dryRun?: boolean;
}

export function versionCommand(context: Context): Command {
  const command = new Command('version')
    .description('list the versions of a service, or switch to one')
    .argument('<service>', 'its name')
    .argument('[version]', 'the one to switch to', positiveNumber)
    .addOption(dryRunOption());
  return addWaitOptions(command, 'the switch is rolled out')
    .addHelpText(
      'after',
      `
Every change of a declaration makes a version. Switching back declares the old one anew, under a new
number; tokens stay as they are, and nothing that waits is touched.

Examples:
  sluice version ocr
  sluice version ocr 3`,
    )
    .action(async (name: string, version: number | undefined, flags: VersionFlags) => {
      await withService(context, command, name, async (client) => {
        if (version === undefined) await list(context, client, name);
        else await switchTo(context, client, { name, version, flags });
      });
    });
}

async function list(context: Context, client: AdminClient, name: string): Promise<void> {
  const revisions = await client.revisions(name);
  context.output.result(revisions, () => table(columns, revisions));
}

async function switchTo(
  context: Context,
  client: AdminClient,
  order: { readonly name: string; readonly version: number; readonly flags: VersionFlags },
): Promise<void> {
  const { name, version, flags } = order;
  const dryRun = flags.dryRun === true;
  const answer = await client.switchRevision(name, version, { dryRun });
  if (dryRun) showDryRun(context, answer);
  else await conclude(context, client, answer, flags);
}

const columns: readonly Column<RevisionInfo>[] = [
  { head: 'VERSION', read: ({ revision }) => revision },
  { head: 'CREATETIME', read: ({ at }) => at },
  { head: 'INSTANCESOF', read: ({ sourceRevision }) => sourceRevision },
  { head: 'CURRENT', read: ({ current }) => (current ? 'yes' : '') },
  { head: 'HOW', read: ({ text, kept }) => (kept ? text : `${text} (file no longer kept)`) },
  { head: 'CHANGED', read: ({ changed }) => changed.join(', ') },
];
