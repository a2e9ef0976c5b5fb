// `sluice submit`: hands requests over, one or a whole folder of them, and fetches the results if
// told to. What was handed over once is found again, not done twice.

import { stat } from 'node:fs/promises';
import type { RequestBody, RequestClient, SubmitOptions } from '@sluice/sdk';
import { Command, InvalidArgumentError, Option } from 'commander';
import { collectTag, duration, positiveNumber, wholeNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import { fileProblem } from '../file-problem.ts';
import { readInput } from '../input.ts';
import { standing, withRequests } from '../requests.ts';
import { fileBody, inputsOf, typeOfData } from '../submit-inputs.ts';
import { submitMany } from '../submit-many.ts';
import { printable } from '../tables.ts';
import { followToRest } from '../waiting-request.ts';
import { showResult } from './result.ts';

interface SubmitFlags {
  readonly data?: string;
  readonly contentType?: string;
  readonly path?: string;
  readonly priority?: number;
  readonly tag?: ReadonlyMap<string, string>;
  readonly key?: string;
  readonly startWithin?: number;
  readonly finishWithin?: number;
  readonly delay?: number;
  readonly retention?: number;
  readonly callback?: string;
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly out?: string;
  readonly concurrency: number;
  readonly run?: string;
  readonly again?: boolean;
}

export function submitCommand(context: Context): Command {
  const command = new Command('submit');
  return command
    .description('submit a request, or one for each file of a folder, and fetch the results')
    .argument('<service>', 'its name')
    .argument('[input...]', 'files or folders; - or nothing reads standard input')
    .addOption(new Option('-d, --data <text>', 'the request itself'))
    .option('--content-type <type>', 'its type; default by the name of the file, or by what it is')
    .option('--path <path>', 'path of this call below the model server’s own')
    .option('--priority <number>', 'higher goes first', wholeNumber)
    .option('--tag <name=value>', 'a tag; repeatable', collectTag)
    .option('--key <key>', 'idempotency key: with the same key it is the same request')
    .option('--start-within <time>', 'expires, and never runs, if not started by then', duration)
    .option('--finish-within <time>', 'is over by then, even when it runs', duration)
    .option('--delay <time>', 'does not start before', duration)
    .option('--retention <time>', 'how long its result stays at least', duration)
    .addOption(new Option('--callback <url>', 'who is told of its end').argParser(address))
    .option('-w, --wait', 'wait for the result and print it')
    .option('--timeout <time>', 'wait no longer than that', duration)
    .option('-o, --out <folder>', 'write the results there, named after the files')
    .option('--concurrency <count>', 'files at the same time', positiveNumber, 16)
    .option('--run <name>', 'the same files are new requests under another name')
    .option('--again', 'with --out: submit anew what has failed')
    .addHelpText('after', help)
    .action(async (service: string, inputs: readonly string[], flags: SubmitFlags) => {
      const single = await singleInput(inputs, flags);
      await withRequests(
        context,
        command,
        service,
        (requests) =>
          single === undefined
            ? many(context, requests, inputs, flags)
            : one(context, requests, single, flags),
        { patient: single === undefined || flags.wait === true },
      );
    });
}

const help = `
Of one request the id is printed, or with --wait the result alone. Of several files, or of a folder
with all below it, each gets a line: file, request, state, and with --out the file of its result.

A folder is taken up where it was left, by the same command: each file has an idempotency key made
from its name and content, so what was submitted before is found, not done twice. With --out, files
whose results are there are not even asked for. The server knows keys for a time (24h if the service
says nothing else).

Ends with exit code 1 when a request had no result, or the model answered with an error.

Examples:
  sluice submit ocr page.png --wait > page.txt
  sluice submit chat --data '{"prompt": "Why is the sky blue?"}' --finish-within 5m
  sluice submit ocr scans/ --out texts/ --concurrency 32
  sluice submit ocr scans/ --out texts/ --again        those that failed, once more`;

/** What one request is made of; undefined: there are several, or a folder. */
async function singleInput(
  inputs: readonly string[],
  flags: SubmitFlags,
): Promise<string | undefined> {
  const [input = '-', ...others] = inputs;
  if (flags.data !== undefined && inputs.length > 0) {
    throw new CommandError('give files or --data, not both');
  }
  const isMany = others.length > 0 || flags.out !== undefined || (await isFolder(input));
  if (!isMany) return input;
  if (inputs.length === 0 || inputs.includes('-')) {
    throw new CommandError('--out needs files or a folder (--wait prints the result of one)');
  }
  if (flags.key !== undefined) throw new CommandError('--key is for one request');
  return undefined;
}

async function isFolder(input: string): Promise<boolean> {
  if (input === '-') return false;
  try {
    return (await stat(input)).isDirectory();
  } catch (error) {
    throw new CommandError(fileProblem(input, error));
  }
}

async function one(
  context: Context,
  requests: RequestClient,
  input: string,
  flags: SubmitFlags,
): Promise<void> {
  const { output, interrupted } = context;
  const { body, type } = await bodyOf(context, input, flags);
  const wishes = { ...wishesOf(flags), contentType: flags.contentType ?? type };
  const info = await requests.submit(body, {
    ...wishes,
    idempotencyKey: flags.key,
    signal: interrupted,
  });
  const repeated = info.repeated ? ', submitted before' : '';
  const text = printable(`request ${info.id}  ${standing(info)}${repeated}`);
  if (flags.wait !== true) {
    output.result(info, () => [text]);
    return;
  }
  if (!output.isJson) output.note(text);
  await followToRest(context, requests, info.id, flags.timeout);
  const result = await requests.result(info.id, { signal: interrupted });
  if (result !== undefined) await showResult(context, result, undefined);
}

async function bodyOf(
  context: Context,
  input: string,
  { data }: SubmitFlags,
): Promise<{ readonly body: RequestBody; readonly type: string }> {
  if (data !== undefined) return { body: data, type: typeOfData(Buffer.from(data)) };
  if (input !== '-') return fileBody(input);
  if (context.terminal.stdin.isTTY === true) {
    throw new CommandError('nothing to submit: name a file, use --data, or pipe it in');
  }
  const bytes = await readInput(context, '-');
  if (bytes.byteLength === 0) context.output.note('remark: the request is empty');
  return { body: bytes, type: typeOfData(bytes) };
}

async function many(
  context: Context,
  requests: RequestClient,
  paths: readonly string[],
  flags: SubmitFlags,
): Promise<void> {
  const { out, concurrency, run = '', again = false, contentType, timeout } = flags;
  const inputs = await inputsOf(paths, out);
  if (inputs.length === 0) throw new CommandError(`${paths.join(', ')}: there are no files`);
  await submitMany(context, requests, inputs, {
    wishes: wishesOf(flags),
    contentType,
    out,
    waits: flags.wait === true || out !== undefined,
    timeoutMs: timeout,
    concurrency,
    run,
    again,
  });
}

function wishesOf(flags: SubmitFlags): SubmitOptions {
  const { path, priority, tag, callback } = flags;
  return {
    path,
    priority,
    tags: tag,
    startWithinMs: flags.startWithin,
    finishWithinMs: flags.finishWithin,
    delayMs: flags.delay,
    retentionMs: flags.retention,
    callback,
  };
}

function address(text: string): string {
  if (URL.canParse(text)) return text;
  throw new InvalidArgumentError('Not an address such as https://example.com/hook.');
}
