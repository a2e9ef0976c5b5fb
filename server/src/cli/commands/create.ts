// `sluice create`: deploys a service.json and waits until the service works, or says why not.

import { AdminClient, type ApplyAnswer, PlatformError, type ServiceDescription } from '@sluice/sdk';
import { Command } from 'commander';
import { parseJsonc } from '../../config/jsonc.ts';
import { durationOption } from '../arguments.ts';
import { CommandError, type Context, findServer, pause } from '../context.ts';
import { readInput } from '../input.ts';
import { pairs } from '../output.ts';

interface CreateOptions {
  readonly apply?: boolean;
  readonly strict?: boolean;
  /** commander's `--no-wait`. */
  readonly wait: boolean;
  readonly timeout: number;
}

const pollMs = 250;

/** A crash may be passed through: a service that has failed for so long needs a person. */
const settledAfterMs = 5000;

export function createCommand(context: Context): Command {
  const command = new Command('create');
  return command
    .description('deploy a service.json')
    .argument('<file>', 'service.json; comments are fine; - reads standard input')
    .option('--apply', 'update the service when it exists')
    .option('--strict', 'refuse fields that Sluice does not act on')
    .option('--no-wait', 'do not wait until the service runs')
    .addOption(durationOption('--timeout <time>', 'how long to wait', '10m'))
    .addHelpText(
      'after',
      `
Examples:
  sluice init ocr && sluice create service.json
  sluice create --apply service.json`,
    )
    .action(async (file: string, options: CreateOptions) => {
      const client = new AdminClient(await findServer(context, command));
      const definition = await readDefinition(context, file);
      const answer = await send(client, definition, options);
      report(context, answer);
      const service = options.wait
        ? await waited(context, client, answer.name, options)
        : undefined;
      if (context.output.isJson) {
        context.output.result({ ...answer, status: service?.status ?? '' }, () => []);
      }
    });
}

/** Reads a service.json with comments. Mistakes name the file. */
export async function readDefinition(context: Context, file: string): Promise<unknown> {
  const text = Buffer.from(await readInput(context, file)).toString('utf8');
  const place = file === '-' ? 'standard input' : file;
  if (text.trim() === '') throw new CommandError(`${place} is empty; \`sluice init\` writes one`);
  try {
    return parseJsonc(text);
  } catch (error) {
    throw new CommandError(`${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The name that a definition gives its service. */
export function definitionName(definition: unknown): string | undefined {
  const field = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  const name =
    field(field(definition, 'metadata'), 'name') ??
    field(definition, 'metadata.name') ??
    field(definition, 'name');
  return typeof name === 'string' ? name : undefined;
}

async function send(
  client: AdminClient,
  definition: unknown,
  options: CreateOptions,
): Promise<ApplyAnswer> {
  const strict = { strict: options.strict === true };
  if (options.apply !== true) {
    return client.createService(definition, strict).catch((error: unknown) => {
      if (!(error instanceof PlatformError && error.code === 'conflict')) throw error;
      throw new CommandError(`${error.message} (sluice create --apply updates it)`);
    });
  }
  const name = definitionName(definition);
  if (name === undefined) throw new CommandError('the file names no service: set metadata.name');
  return client.applyService(name, definition, strict);
}

function report(context: Context, answer: ApplyAnswer): void {
  for (const warning of answer.warnings) context.output.note(`remark: ${warning}`);
  if (context.output.isJson) return;
  context.output.result(answer, () => [
    `Service ${answer.name} is ${answer.outcome} (revision ${answer.revision})`,
    ...pairs([
      ['Endpoint', answer.endpoint],
      ['Token', answer.token === '' ? '(none: an open service)' : answer.token],
    ]),
  ]);
}

function waited(
  context: Context,
  client: AdminClient,
  name: string,
  { timeout }: CreateOptions,
): Promise<ServiceDescription> {
  return waitUntilRunning(context, client, name, timeout).catch((error: unknown) => {
    if (context.interrupted.aborted) {
      context.output.note(`The service goes on without us: sluice desc ${name} shows how it is`);
    } else if (error instanceof CommandError) {
      throw new CommandError(`${error.message} (sluice logs ${name} shows what it wrote)`);
    }
    throw error;
  });
}

/** Shows what the service waits for until it runs, has failed, or stays as it is. */
export async function waitUntilRunning(
  context: Context,
  client: AdminClient,
  name: string,
  timeoutMs: number,
): Promise<ServiceDescription> {
  const { clock, output } = context;
  const startedAt = clock.now().mono;
  let failedSince: number | undefined;
  for (;;) {
    const service = await client.service(name);
    const now = clock.now().mono;
    if (service.status === 'Running') {
      output.note('Service is running');
      return service;
    }
    const { wanted, running } = service.instances;
    const why = service.message === '' ? '' : `: ${service.message}`;
    const line = `Service is ${service.status} (${running} of ${wanted} instances)${why}`;
    output.progress(line);
    if (service.status === 'Stopped') return service;
    if (service.status === 'Pending') {
      output.note(`${line}; its queues work`);
      return service;
    }
    failedSince = service.status === 'Failed' ? (failedSince ?? now) : undefined;
    if (failedSince !== undefined && now - failedSince >= settledAfterMs) {
      throw new CommandError(line);
    }
    if (now - startedAt >= timeoutMs) throw new CommandError(`${line}; not waiting any longer`);
    await pause(context, pollMs);
  }
}
