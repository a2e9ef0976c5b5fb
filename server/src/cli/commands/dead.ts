// `sluice dead`: the requests of a service that are out of deliveries.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { deadDropCommand, deadRedriveCommand } from '../dead-changes.ts';
import { deadExportCommand, deadListCommand, deadShowCommand } from '../dead-views.ts';

export function deadCommand(context: Context): Command {
  const command = new Command('dead')
    .description('requests out of deliveries: list, show, redrive, drop, export')
    .addHelpText(
      'after',
      `
A request whose deliveries ended badly too often lies in the rear queue until somebody looks, or its
retention is over. These commands need the admin token or the main token of the service.

Examples:
  sluice dead ls ocr
  sluice dead show ocr 3                              every delivery, the last lines of the log
  sluice dead redrive ocr --all --per-second 5        once what was wrong is repaired
  sluice dead drop ocr 3 4`,
    );
  for (const each of [
    deadListCommand(context),
    deadShowCommand(context),
    deadRedriveCommand(context),
    deadDropCommand(context),
    deadExportCommand(context),
  ]) {
    command.addCommand(each);
  }
  return command;
}
