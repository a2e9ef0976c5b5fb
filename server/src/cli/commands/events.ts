// `sluice events`: what happened to services, and why; or what happens to one request.

import { AdminClient, type EventInfo, eventKinds, type RequestClient } from '@sluice/sdk';
import { Command, Option } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { isAway, untilBack } from '../coming-back.ts';
import { CommandError, type Context, findServer } from '../context.ts';
import { printRequestEvents } from '../request-events.ts';
import { withRequests } from '../requests.ts';
import { explained } from '../services.ts';
import { printable } from '../tables.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly after?: number;
  readonly tail?: number;
  readonly kind?: Exclude<EventInfo['kind'], 'missed'>;
  readonly raw?: boolean;
}

const kindWidth = Math.max(...eventKinds.map((kind) => kind.length));
const whatWidth = 12;

export function eventsCommand(context: Context): Command {
  const kinds = eventKinds.filter((kind) => kind !== 'missed');
  const command = new Command('events');
  return command
    .description('what happened to a service, or to all, and why; or what happens to one request')
    .argument('[service]', 'its name')
    .argument('[request]', 'the id of a request: what happens to it, until it is at rest')
    .option('-f, --follow', 'go on with what happens from now on')
    .option('-n, --tail <count>', 'begin with that many of the latest', wholeNumber)
    .option('--after <number>', 'only events with a higher number', wholeNumber)
    .addOption(new Option('--kind <kind>', 'only those of one kind').choices(kinds))
    .option('--raw', 'of a request: only what the model streams, as it comes')
    .addHelpText(
      'after',
      `
The latest 1,000 events of each service are kept, and those of a deleted one for an hour. Those of
a request are there while it runs: its states, what the model streams, what its instance reports.
Followed, those of services wait for a server that is gone, say so, and go on where they were.

Examples:
  sluice events demo
  sluice events demo --kind scaling --follow        why there are so many instances, until Ctrl-C
  sluice events chat 12-3f0c11aa --follow           a request: states, output, progress
  sluice events chat 12-3f0c11aa --raw              the text of its answer while it is made
  sluice events --json | jq -r 'select(.kind == "instance") | [.at, .instance, .text] | @tsv'`,
    )
    .action(async (service: string | undefined, id: string | undefined, options: EventsOptions) => {
      if (service !== undefined && id !== undefined) {
        const raw = options.raw === true;
        const run = (requests: RequestClient): Promise<void> =>
          printRequestEvents(context, requests, id, { raw });
        return withRequests(context, command, service, run, { patient: true });
      }
      if (options.raw === true) throw new CommandError('--raw is for the events of a request');
      const server = await findServer(context, command);
      try {
        await printEvents(context, new AdminClient(server), service, options);
      } catch (error) {
        throw service === undefined ? error : await explained(error, server, service);
      }
    });
}

async function printEvents(
  context: Context,
  client: AdminClient,
  service: string | undefined,
  options: EventsOptions,
): Promise<void> {
  const { kind, tail: limit, follow } = options;
  const signal = context.interrupted;
  let after =
    options.after ?? (limit === 0 ? await lastNumber(client, service, signal) : undefined);
  for await (const event of client.events(service, { after, limit, kind, signal })) {
    await print(context, event);
    after = event.number;
  }
  // A server that is started anew goes on with higher numbers, so nothing is left out.
  while (follow === true && !signal.aborted) {
    const how = { after: after ?? 0, kind, follow: true, signal };
    try {
      for await (const event of client.events(service, how)) {
        await print(context, event);
        after = event.number;
      }
    } catch (error) {
      if (!isAway(error)) throw error;
      await untilBack(context, client, error.message);
    }
  }
  if (signal.aborted) throw new CommandError('interrupted');
}

/** Of all events, whatever is wanted of them; undefined: there are none. */
async function lastNumber(
  client: AdminClient,
  service: string | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  let last: number | undefined;
  for await (const { number } of client.events(service, { limit: 1, signal })) last = number;
  return last;
}

function print(context: Context, event: EventInfo): Promise<void> {
  return context.output.print(event, () => [lineOf(event)]);
}

/** `2026-11-22T03:50:51Z ocr scaling scale-out: 1 to 3 instances, ...` in columns. */
function lineOf({ at, service, kind, what, text, instance }: EventInfo): string {
  const time = at.replace(/\.\d+/, '');
  const about = instance === '' || text.includes(instance) ? text : `${instance}: ${text}`;
  const words = [time, service, kind.padEnd(kindWidth), what.padEnd(whatWidth), about];
  return words.map(printable).join('  ');
}
