// `sluice version`: the revisions of a service, and switching back to one of them.

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
import { type Column, shortInstant, table } from '../tables.ts';

interface VersionFlags extends WaitFlags {
  readonly dryRun?: boolean;
}

export function versionCommand(context: Context): Command {
  const command = new Command('version')
    .description('list the revisions of a service, or switch back to one')
    .argument('<service>', 'its name')
    .argument('[revision]', 'the one to switch back to', positiveNumber)
    .addOption(dryRunOption());
  return addWaitOptions(command, 'the switch is rolled out')
    .addHelpText(
      'after',
      `
Every change of a service makes a revision, which eascmd calls a version. Switching back declares
the old one anew, under a new number; tokens stay as they are, and nothing that waits is touched.
Revisions of one SOURCEVERSION run the same: a switch between them replaces no instance.

Examples:
  sluice version ocr
  sluice version ocr 3`,
    )
    .action(async (name: string, revision: number | undefined, flags: VersionFlags) => {
      await withService(context, command, name, async (client) => {
        if (revision === undefined) await list(context, client, name);
        else await switchTo(context, client, { name, revision, flags });
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
  order: { readonly name: string; readonly revision: number; readonly flags: VersionFlags },
): Promise<void> {
  const { name, revision, flags } = order;
  const dryRun = flags.dryRun === true;
  const answer = await client.switchRevision(name, revision, { dryRun });
  if (dryRun) showDryRun(context, answer);
  else await conclude(context, client, answer, flags);
}

const columns: readonly Column<RevisionInfo>[] = [
  { head: 'VERSION', read: ({ revision }) => revision },
  { head: 'CREATETIME', read: ({ at }) => shortInstant(at) },
  { head: 'SOURCEVERSION', read: ({ sourceRevision }) => sourceRevision },
  { head: 'CURRENT', read: ({ current }) => (current ? 'yes' : '') },
  { head: 'HOW', read: ({ text, kept }) => (kept ? text : `${text} (file no longer kept)`) },
  { head: 'CHANGED', read: ({ changed }) => changed.join(', ') },
];
