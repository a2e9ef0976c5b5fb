// `sluice serve`: runs the whole of Sluice in one process.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { serveOptions, settingValues } from '../serve-options.ts';

export function serveCommand(context: Context): Command {
  const command = new Command('serve')
    .description('run a server')
    .option('--config <file>', 'settings file (JSON, comments are fine; or SLUICE_CONFIG)');
  for (const option of serveOptions()) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Every setting may also stand in the settings file (stop_timeout) and in the environment
(SLUICE_STOP_TIMEOUT); flags win over the environment, the environment over the file.

Ctrl-C stops deliveries and waits for running requests; a second one ends at once.

Examples:
  sluice serve
  sluice serve --data /var/lib/sluice --service ocr.json --service chat.json
  sluice serve --listen 0.0.0.0:8600 --tls-cert cert.pem --tls-key key.pem`,
    )
    .action(async () => {
      const { config }: { readonly config?: string } = command.opts();
      const values = settingValues(command);
      // The server is large: other commands need not wait for it to be loaded.
      const { serve } = await import('../serving.ts');
      await serve(context, config === undefined ? values : { ...values, config }, async () => {
        context.output.note('Ready. Ctrl-C stops it.');
      });
    });
}
