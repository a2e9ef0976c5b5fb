// `sluice result`: what the model answered to a request, as often as one likes.

import type { RequestClient, RequestResult } from '@sluice/sdk';
import { Command } from 'commander';
import { duration } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { printPayload, shownPayload } from '../message.ts';
import { standing, withRequests } from '../requests.ts';
import { writeResult } from '../result-file.ts';
import { followToRest } from '../waiting-request.ts';

interface ResultOptions {
  readonly output?: string;
  readonly wait?: boolean;
  readonly timeout?: number;
}

export function resultCommand(context: Context): Command {
  const command = new Command('result');
  return command
    .description('the result of a request; it stays where it is')
    .argument('<service>', 'its name')
    .argument('<request>', 'the id of the request')
    .option('-o, --output <file>', 'write it there')
    .option('-w, --wait', 'wait until there is one')
    .option('-t, --timeout <time>', 'wait no longer than that', duration)
    .addHelpText(
      'after',
      `
Ends with exit code 1 when there is none, and when the model answered with an error, which is
printed all the same. A result put through a queue protocol is shown, not taken.

Examples:
  sluice result ocr 12-3f0c11aa > page.txt
  sluice result ocr 12-3f0c11aa --wait --timeout 10m -o page.txt`,
    )
    .action(async (service: string, id: string, options: ResultOptions) => {
      const waits = options.wait === true || options.timeout !== undefined;
      await withRequests(
        context,
        command,
        service,
        async (requests) => {
          if (waits) await followToRest(context, requests, id, options.timeout);
          await showResult(context, await fetched(context, requests, id), options.output);
        },
        { patient: waits },
      );
    });
}

async function fetched(
  context: Context,
  requests: RequestClient,
  id: string,
): Promise<RequestResult> {
  const { interrupted: signal } = context;
  const result = await requests.result(id, { signal });
  if (result !== undefined) return result;
  const info = await requests.status(id, { signal });
  throw new CommandError(`no result yet, the request is ${standing(info)} (--wait waits for it)`);
}

/** Prints a result, or writes it to a file; throws when the model answered with an error. */
export async function showResult(
  context: Context,
  result: RequestResult,
  file: string | undefined,
): Promise<void> {
  const { output } = context;
  const { id, modelStatus, contentType, ok } = result;
  const head = { id, modelStatus, contentType: contentType ?? null };
  if (file !== undefined) {
    const size = await writeResult(result, file);
    output.note(`${size} bytes written to ${file}`);
    if (output.isJson) output.result({ ...head, file, size }, () => []);
  } else {
    const payload = await result.bytes();
    if (output.isJson) output.result({ ...head, ...shownPayload(payload) }, () => []);
    else if (payload.byteLength > 0) await printPayload(context, payload, 'only');
    else output.note('The model’s answer was empty');
  }
  if (!ok) throw new CommandError(`the model answered with ${modelStatus}`);
}
