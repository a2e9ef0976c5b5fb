// `sluice cancel`: requests that nobody wants any more.

import { PlatformError, type RequestClient, type RequestInfo } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context } from '../context.ts';
import { withRequests } from '../requests.ts';

interface CancelOptions {
  readonly reason?: string;
}

export function cancelCommand(context: Context): Command {
  const command = new Command('cancel');
  return command
    .description('cancel requests: those that wait are gone at once, running work is aborted')
    .argument('<service>', 'its name')
    .argument('<request...>', 'ids of requests')
    .option('--reason <text>', 'kept in the record')
    .addHelpText(
      'after',
      `
Of running work it says whether the model was seen to stop. Ends with exit code 1 when one had
come to rest otherwise before; one that is canceled already is fine.

Examples:
  sluice cancel ocr 12-3f0c11aa
  sluice cancel ocr $(sluice status ocr --state queued --tag job=7 --json | jq -r '.[].id')`,
    )
    .action((service: string, ids: readonly string[], options: CancelOptions) =>
      withRequests(context, command, service, (requests) =>
        cancel(context, requests, ids, options),
      ),
    );
}

async function cancel(
  context: Context,
  requests: RequestClient,
  ids: readonly string[],
  { reason }: CancelOptions,
): Promise<void> {
  const { output, interrupted: signal } = context;
  let refused = 0;
  for (const id of ids) {
    try {
      const info = await requests.cancel(id, { reason, signal });
      output.ok(outcomeOf(info));
      if (output.isJson) await output.print(info, () => []);
    } catch (error) {
      // The others are canceled all the same.
      const isOwn =
        error instanceof PlatformError && ['conflict', 'not_found'].includes(error.code);
      if (!isOwn || ids.length === 1) throw error;
      output.error(`${id}: ${error.message}`);
      refused += 1;
    }
  }
  if (refused > 0) throw new CommandError(`${refused} of ${ids.length} were not canceled`);
}

function outcomeOf({ id, state, cancel, instance }: RequestInfo): string {
  if (cancel === null || instance === '') {
    return `Request ${id} is canceled: it had not been running`;
  }
  if (cancel.effectiveAt !== null) return `Request ${id} is canceled; ${instance} is free of it`;
  if (state === 'canceled') return `Request ${id} is canceled; ${instance} may still work on it`;
  return `Request ${id} is being canceled on ${instance}`;
}
