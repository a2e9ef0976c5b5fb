// `sluice verify`: reads everything in a data folder that no server uses, or in a backup, and says
// what is damaged.

import { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { CommandError, type Context } from '../context.ts';
import { megabytes, rowCounts, showWork } from '../long-work.ts';
import { serveOptions, settingValues } from '../serve-options.ts';
import { pairs, printable } from '../tables.ts';

const shownMax = 20;

export function verifyCommand(context: Context): Command {
  const command = new Command('verify')
    .description(
      'read everything in a data folder and say what is damaged; no server may be using it',
    )
    .argument('[folder]', 'a backup or a data folder, instead of --data');
  for (const option of serveOptions(['data'])) command.addOption(option);
  command.addHelpText(
    'after',
    `
Ends with exit code 1 when something is damaged.

Examples:
  sluice verify
  sluice verify /mnt/backups/sluice-2026-11-22
  sluice verify --data /var/lib/sluice --json | jq .damages`,
  );
  return command.action(async (named: string | undefined) => {
    const { data } = settingValues(command);
    const { environment, output } = context;
    const flags = { data: named ?? data };
    const { dataFolder: folder } = loadConfig({ flags, environment, file: undefined });
    // The engine is large: other commands need not wait for it to be loaded.
    const { verifyFolder } = await import('../../engine/lmdb/health.ts');
    const report = await verifyFolder(folder, (step) => showWork(output, step));
    const { services, rows, payloadFiles, fileBytes, damages, damageCount } = report;
    output.result({ folder, ...report }, () => [
      ...pairs([
        ['Folder', folder],
        ['Services', services],
        ...rowCounts(rows),
        ['Payload files', payloadFiles],
        ['Size', megabytes(fileBytes)],
        ['Damaged', damageCount],
      ]),
      ...damages
        .slice(0, shownMax)
        .map(({ table, service, index, what }) =>
          printable(`  ${table} of service ${service}, index ${index}: ${what}`),
        ),
      ...(damageCount > shownMax ? [`  and ${damageCount - shownMax} more (--json)`] : []),
    ]);
    if (damageCount > 0) throw new CommandError(`${damageCount} rows are damaged`);
  });
}
