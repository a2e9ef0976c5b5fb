// `sluice webhooks`: what the callbacks of a service are signed with, and how they fare.

import type { AdminClient, ServiceWebhooks } from '@sluice/sdk';
import { Command, Option } from 'commander';
import { duration } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { instantText } from '../requests.ts';
import { withService } from '../services.ts';
import { pairs, printable } from '../tables.ts';

interface WebhookOptions {
  readonly rotate?: boolean;
  readonly overlap?: number;
  readonly open?: string;
}

export function webhooksCommand(context: Context): Command {
  const command = new Command('webhooks');
  return command
    .description('the secrets that callbacks are signed with, and how callbacks fare')
    .argument('<service>', 'its name')
    .addOption(new Option('--rotate', 'sign with new secrets').conflicts('open'))
    .option('--overlap <time>', 'with --rotate: the old ones sign beside them so long', duration)
    .option('--open <url>', 'send callbacks again to an address that had answered 410')
    .addHelpText(
      'after',
      `
A receiver checks a callback with the secret (whsec_), which it has to keep, or with the public key
(whpk_), which anybody may know. Old ones sign beside the new ones for 24h after a rotation.

Examples:
  sluice webhooks ocr
  sluice webhooks ocr --rotate --overlap 48h
  sluice webhooks ocr --open https://app.example/hook`,
    )
    .action(async (name: string, options: WebhookOptions) => {
      if (options.overlap !== undefined && options.rotate !== true) {
        throw new CommandError('--overlap goes with --rotate');
      }
      const webhooks = await withService(context, command, name, (client) =>
        changed(client, name, options),
      );
      context.output.result(webhooks, () => linesOf(webhooks));
    });
}

function changed(
  client: AdminClient,
  name: string,
  { rotate, overlap, open }: WebhookOptions,
): Promise<ServiceWebhooks> {
  if (open !== undefined) return client.openWebhookAddress(name, open);
  if (rotate !== true) return client.webhooks(name);
  return client.rotateWebhooks(name, overlap === undefined ? {} : { overlap: `${overlap}ms` });
}

function linesOf({ keys, pending, closed }: ServiceWebhooks): string[] {
  return [
    ...keys.flatMap((key, at) => [
      ...(at === 0 ? [] : ['']),
      ...pairs([
        ['Secret', key.secret],
        ['Public key', key.publicKey],
        ['Made', instantText(key.createdAt)],
        ['Signs until', instantText(key.until)],
      ]),
    ]),
    '',
    `${pending} callbacks are to be delivered`,
    ...closed.map(({ url, at }) => printable(`${url} answered 410 at ${instantText(at)}: closed`)),
  ];
}
