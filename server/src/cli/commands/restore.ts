// `sluice restore`: makes a data folder of a backup.

import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import type { Context } from '../context.ts';
import { megabytes, rowCounts, showWork } from '../long-work.ts';
import { serveOptions, settingValues } from '../serve-options.ts';
import { pairs } from '../tables.ts';

interface RestoreCommandOptions {
  readonly force?: boolean;
}

export function restoreCommand(context: Context): Command {
  const command = new Command('restore')
    .description('make a data folder of a backup; no server may be using it')
    .argument('<backup>', 'a folder made by `sluice backup`');
  for (const option of serveOptions(['data'])) command.addOption(option);
  command.option('--force', 'replace the data in the folder; they are kept beside the new ones');
  command.addHelpText(
    'after',
    `
Every file is compared with its checksum and every row is read before the data take their place.
Work that was done after the backup was made is done again: results may appear a second time.
Indexes go on far above the old ones, so that nobody who remembers one of the time after the
backup hits another message with it.

Examples:
  sluice restore /mnt/backups/sluice-2026-11-22
  sluice restore /mnt/backups/sluice-2026-11-22 --data /var/lib/sluice --force`,
  );
  return command.action(async (backup: string) => {
    const { force = false }: RestoreCommandOptions = command.opts();
    const { data } = settingValues(command);
    const { environment, output, clock, interrupted } = context;
    const { dataFolder: folder } = loadConfig({ flags: { data }, environment, file: undefined });
    // The engine is large: other commands need not wait for it to be loaded.
    const { restore } = await import('../../engine/lmdb/backup/restore.ts');
    const restored = await restore({
      backup: resolve(backup),
      folder,
      replace: force,
      now: clock.now().wall,
      signal: interrupted,
      tell: (step) => showWork(output, step),
    });
    const { madeAt, services, rows, files, bytes, replaced } = restored;
    output.result({ folder, ...restored }, () => [
      ...pairs([
        ['Folder', folder],
        ['Backup of', madeAt],
        ['Services', services],
        ...rowCounts(rows),
        ['Files', files],
        ['Size', megabytes(bytes)],
        ['Replaced', replaced ?? ''],
      ]),
      'Restored and checked; `sluice serve` goes on from here',
    ]);
    if (replaced !== undefined) {
      output.note('(what was there before can be deleted once it is no longer needed)');
    }
  });
}
