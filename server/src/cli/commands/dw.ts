// `sluice dw`: has other instances take the place of some.

import { Command } from 'commander';
import { CommandError, type Context } from '../context.ts';
import { withService } from '../services.ts';

interface ReplaceFlags {
  readonly force?: boolean;
}

export function dwCommand(context: Context): Command {
  const command = new Command('dw');
  return command
    .alias('deleteworkers')
    .description('replace instances of a service by new ones')
    .argument('<service>', 'its name')
    .argument('<names...>', 'instances, as `sluice w` lists them; commas or blanks between them')
    .option('--force', 'cut their running requests off; other instances do them')
    .addHelpText(
      'after',
      `
Each finishes what it works on, then ends; a new one comes in its place.

Examples:
  sluice dw ocr ocr-sky7m
  sluice dw ocr ocr-sky7m,ocr-rain2 --force`,
    )
    .action(async (name: string, list: readonly string[], { force }: ReplaceFlags) => {
      const chosen = new Set(list.flatMap((text) => text.split(',')).map((text) => text.trim()));
      chosen.delete('');
      const names = [...chosen];
      if (names.length === 0)
        throw new CommandError(`name instances that \`sluice w ${name}\` lists`);
      const queues = `${name}-queue`;
      if (chosen.has(queues)) {
        throw new CommandError(`${queues} holds the queues: it goes with the service alone`);
      }
      await withService(context, command, name, (client) =>
        client.deleteInstances(name, names, { force: force === true }),
      );
      const how = force === true ? 'at once' : 'when what they work on is done';
      context.output.ok(`Replacing ${names.join(', ')}: they end ${how}`);
      if (context.output.isJson) {
        context.output.result({ service: name, replaced: names }, () => []);
      }
    });
}
