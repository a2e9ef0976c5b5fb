// `sluice put`: puts one request, and waits for its result if told to.

import { type Client, type Message, PlatformError } from '@sluice/sdk';
import { Command, Option } from 'commander';
import { showDuration } from '../../config/duration.ts';
import { collectTag, durationOption, wholeNumber } from '../arguments.ts';
import { CommandError, type Context, pause } from '../context.ts';
import { readInput } from '../input.ts';
import { printMessage, throwIfFailed } from '../message.ts';
import { withQueues } from '../queues.ts';

interface PutOptions {
  readonly data?: string;
  readonly tag?: ReadonlyMap<string, string>;
  readonly priority?: number;
  readonly id?: string;
  readonly path?: string;
  readonly contentType?: string;
  readonly wait?: boolean;
  readonly timeout: number;
}

const pollMs = 1000;

export function putCommand(context: Context): Command {
  const command = new Command('put');
  return command
    .description('put a request into the input queue')
    .argument('<service>', 'its name')
    .argument('[file]', 'the payload; - or nothing reads standard input')
    .addOption(new Option('-d, --data <text>', 'the payload itself'))
    .option('--tag <name=value>', 'a tag; repeatable', collectTag)
    .option('--priority <number>', 'higher goes first', wholeNumber)
    .option('--id <id>', 'request id of your own')
    .option('--path <path>', 'path of this call below the model server’s own')
    .option('--content-type <type>', 'type of the payload')
    .option('-w, --wait', 'wait for the result and print it')
    .addOption(durationOption('--timeout <time>', 'how long to wait', '10m'))
    .addHelpText(
      'after',
      `
Examples:
  sluice put ocr page.png --content-type image/png --wait > page.txt
  sluice put demo --data '{"hello": "world"}' --tag user=7
  cat prompt.txt | sluice put chat`,
    )
    .action(async (service: string, file: string | undefined, options: PutOptions) => {
      const payload = await readPayload(context, file, options);
      // The group of the service's own workers: for it a request is known to be running.
      const group = { gid: service };
      await withQueues(
        context,
        command,
        service,
        (queues) => put(context, queues, payload, options),
        group,
      );
    });
}

async function put(
  context: Context,
  queues: Client,
  payload: Uint8Array,
  options: PutOptions,
): Promise<void> {
  const { tag, priority, id, path, contentType, wait, timeout } = options;
  const labels = { tags: tag, priority, id, path, contentType };
  const answer = await queues.input.put(payload, labels);
  const text = `index ${answer.index}  request id ${answer.id}`;
  if (wait !== true) {
    context.output.result(answer, () => [text]);
    return;
  }
  if (!context.output.isJson) context.output.note(text);
  const result = await waitForResult(context, queues, answer, timeout);
  if (result !== undefined) {
    await printMessage(context, result, 'only');
    throwIfFailed(result);
    return;
  }
  context.output.note('Done; the model’s answer was empty');
  // Whoever reads the JSON gets the same fields as ever.
  const empty = { index: 0, id: answer.id, tags: {}, text: '' };
  if (context.output.isJson) await context.output.print(empty, () => []);
}

async function readPayload(
  context: Context,
  file: string | undefined,
  options: PutOptions,
): Promise<Uint8Array> {
  if (options.data !== undefined) {
    if (file !== undefined) throw new CommandError('give a file or --data, not both');
    return Buffer.from(options.data);
  }
  if (context.terminal.stdin.isTTY === true && file === undefined) {
    throw new CommandError('nothing to put: name a file, use --data, or pipe it in');
  }
  const payload = await readInput(context, file ?? '-');
  if (payload.byteLength === 0) context.output.note('remark: the payload is empty');
  return payload;
}

/** undefined: the request is done and the model's answer was empty. */
async function waitForResult(
  context: Context,
  queues: Client,
  request: { readonly index: number; readonly id: string },
  timeoutMs: number,
): Promise<Message | undefined> {
  const { clock, interrupted, output } = context;
  const startedAt = clock.now().mono;
  const goesOn = `the request goes on: sluice get ${queues.service} --id ${request.id}`;
  for (;;) {
    const waited = clock.now().mono - startedAt;
    if (waited >= timeoutMs) {
      throw new CommandError(`no result after ${showDuration(timeoutMs)}; ${goesOn}`);
    }
    const waitMs = Math.min(pollMs, timeoutMs - waited);
    try {
      const step = await look(queues, request, { waitMs, signal: interrupted });
      if (step.kind === 'result') return step.message;
      if (step.kind === 'empty') return undefined;
      output.progress(step.text, `, ${showDuration(waited)}`);
    } catch (error) {
      if (interrupted.aborted) output.note(goesOn);
      if (interrupted.aborted || !(error instanceof PlatformError) || !error.retry) throw error;
      output.progress('The server does not answer; waiting for it');
      await pause(context, pollMs);
    }
  }
}

type Step =
  | { readonly kind: 'result'; readonly message: Message }
  | { readonly kind: 'empty' }
  | { readonly kind: 'waiting'; readonly text: string };

async function look(
  { input, sink }: Client,
  { index, id }: { readonly index: number; readonly id: string },
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Step> {
  const [message] = await sink.get({ id, ...options });
  if (message !== undefined) return { kind: 'result', message };
  const place = await input.search(index, { signal: options.signal });
  if (place === undefined) {
    // It may have been completed between the two calls: one more look decides.
    const [late] = await sink.get({ id, signal: options.signal });
    return late === undefined ? { kind: 'empty' } : { kind: 'result', message: late };
  }
  if (place.isPending) return { kind: 'waiting', text: 'Running' };
  const { waitCount } = place;
  const text = waitCount === 0 ? 'Next in line' : `Waiting behind ${waitCount}`;
  return { kind: 'waiting', text };
}
