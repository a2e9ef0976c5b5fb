// `sluice backup`: a checked copy of everything, made by the running server while it serves, or of
// a data folder that no server uses.

import { resolve } from 'node:path';
import { AdminClient, type BackupInfo } from '@sluice/sdk';
import { Command } from 'commander';
import { version } from '../../config/version.ts';
import { type Context, findServer } from '../context.ts';
import { megabytes, rowCounts, showWork } from '../long-work.ts';
import { pairs } from '../tables.ts';

interface BackupCommandOptions {
  readonly data?: string;
}

export function backupCommand(context: Context): Command {
  const command = new Command('backup')
    .description('make a checked copy of everything, while the server serves')
    .argument('<folder>', "a folder that is not there yet, on the server's machine")
    .option('--data <dir>', 'of a data folder that no server uses, instead of the running server');
  command.addHelpText(
    'after',
    `
The copy holds messages, results, records, services with their tokens, and the admin token: keep
it as you keep those. The logs of instances are not in it. \`sluice restore\` makes a data folder
of it, \`sluice verify FOLDER\` checks it again, and so does \`sha256sum -c SHA256SUMS\` in it.

Examples:
  sluice backup /mnt/backups/sluice-$(date +%F)
  sluice backup /mnt/backups/before-update --data /var/lib/sluice`,
  );
  return command.action(async (folder: string) => {
    const { data }: BackupCommandOptions = command.opts();
    const target = resolve(folder);
    const backup = await (data === undefined
      ? backUpServer(context, command, target)
      : backUpFolder(context, resolve(data), target));
    context.output.result(backup, () =>
      pairs([
        ['Backup', backup.path],
        ['Made at', backup.madeAt],
        ['Services', backup.services],
        ...rowCounts(backup.rows),
        ['Files', backup.files],
        ['Size', megabytes(backup.bytes)],
      ]),
    );
  });
}

async function backUpServer(
  context: Context,
  command: Command,
  target: string,
): Promise<BackupInfo> {
  const client = new AdminClient(await findServer(context, command));
  const progress = (step: Parameters<typeof showWork>[1]): void => showWork(context.output, step);
  return client.backUp(target, { signal: context.interrupted, progress });
}

async function backUpFolder(context: Context, folder: string, target: string): Promise<BackupInfo> {
  // The engine is large: other commands need not wait for it to be loaded.
  const { backUpStopped } = await import('../../engine/lmdb/backup/backup.ts');
  return backUpStopped({
    folder,
    target,
    sluice: version,
    now: context.clock.now().wall,
    signal: context.interrupted,
    tell: (step) => showWork(context.output, step),
  });
}
