// The parts of `sluice dead` that change something: redrive and drop.

import type { DeadInfo, RedriveStep, RedriveWish, RequestClient } from '@sluice/sdk';
import { Command, Option } from 'commander';
import { collectTag, positiveNumber, wholeNumber } from './arguments.ts';
import { CommandError, type Context } from './context.ts';
import { readInput } from './input.ts';
import { confirm } from './question.ts';
import { withRequests } from './requests.ts';
import { fileBody, typeOfData } from './submit-inputs.ts';
import { printable } from './tables.ts';

interface RedriveOptions {
  readonly all?: boolean;
  readonly code?: string;
  readonly tag?: ReadonlyMap<string, string>;
  readonly perSecond?: number;
  readonly data?: string;
  readonly file?: string;
  readonly contentType?: string;
  readonly setTag?: ReadonlyMap<string, string>;
  readonly priority?: number;
}

/** `sluice dead redrive` */
export function deadRedriveCommand(context: Context): Command {
  const command = new Command('redrive');
  return command
    .description('submit dead requests anew, as they were or with another body')
    .argument('<service>', 'its name')
    .argument('[dead...]', 'their numbers in the list')
    .option('--all', 'all of them, or all that fit --code and --tag')
    .option('--code <code>', 'with --all: those that died with this code')
    .option('--tag <name=value>', 'with --all: those with that tag; repeatable', collectTag)
    .option('--per-second <count>', 'at most so many a second', positiveNumber)
    .addOption(new Option('-d, --data <text>', 'of one: another body').conflicts('file'))
    .option('--file <file>', 'of one: another body, from a file or - for standard input')
    .option('--content-type <type>', 'of one: the type of the other body')
    .option('--set-tag <name=value>', 'of one: these tags instead; repeatable', collectTag)
    .option('--priority <number>', 'of one: another priority', wholeNumber)
    .addHelpText(
      'after',
      `
Each becomes a new request, which names the old one, and is dead no more. Ends with exit code 1 when
one of them could not be submitted.

Examples:
  sluice dead redrive ocr 3
  sluice dead redrive ocr 3 --data '{"page": 1}'
  sluice dead redrive ocr --all --code 500 --per-second 10`,
    )
    .action((service: string, numbers: readonly string[], options: RedriveOptions) => {
      const indexes = numbers.map(positiveNumber);
      return withRequests(context, command, service, (requests) => {
        const [only, ...others] = indexes;
        if (isEdited(options)) {
          if (only !== undefined && others.length === 0 && options.all !== true) {
            return redriveOne(context, requests, only, options);
          }
          throw new CommandError('another body, tags or priority are for one request: name it');
        }
        return redriveMany(context, requests, wishOf(indexes, options));
      });
    });
}

function isEdited({ data, file, setTag, priority }: RedriveOptions): boolean {
  return [data, file, setTag, priority].some((each) => each !== undefined);
}

function wishOf(indexes: readonly number[], options: RedriveOptions): RedriveWish {
  const { all, code, tag, perSecond } = options;
  if ((all === true) === indexes.length > 0) {
    throw new CommandError('name those to be submitted anew, or say --all');
  }
  return {
    ...(indexes.length === 0 ? {} : { indexes }),
    ...(code === undefined ? {} : { code }),
    ...(tag === undefined ? {} : { tags: Object.fromEntries(tag) }),
    ...(perSecond === undefined ? {} : { perSecond }),
  };
}

async function redriveOne(
  context: Context,
  requests: RequestClient,
  rearIndex: number,
  { data, file, contentType, setTag: tags, priority }: RedriveOptions,
): Promise<void> {
  const { output, interrupted: signal } = context;
  const given = data === undefined ? await bodyOf(context, file) : bodyOfText(data);
  const info = await requests.dead.redrive(rearIndex, {
    ...given,
    ...(contentType === undefined ? {} : { contentType }),
    tags,
    priority,
    signal,
  });
  output.ok(`Dead request ${rearIndex} is request ${info.id} now`);
  if (output.isJson) output.result(info, () => []);
}

interface NewBody {
  readonly body?: string | Uint8Array | Blob;
  readonly contentType?: string;
}

function bodyOfText(data: string): NewBody {
  return { body: data, contentType: typeOfData(Buffer.from(data)) };
}

async function bodyOf(context: Context, file: string | undefined): Promise<NewBody> {
  if (file === undefined) return {};
  if (file === '-') {
    const body = await readInput(context, '-');
    return { body, contentType: typeOfData(body) };
  }
  const { body, type: contentType } = await fileBody(file);
  return { body, contentType };
}

async function redriveMany(
  context: Context,
  requests: RequestClient,
  wish: RedriveWish,
): Promise<void> {
  const { output, interrupted: signal } = context;
  let failed = 0;
  for await (const step of requests.dead.redriveMany(wish, { signal })) {
    if (step.kind === 'done') {
      if (output.isJson) await output.print(step, () => []);
      else output.note(`${step.redriven} submitted anew, ${step.failed} not`);
      failed = step.failed;
    } else await output.print(step, () => [stepText(step)]);
  }
  if (failed > 0) throw new CommandError(`${failed} could not be submitted anew`);
}

function stepText(step: Exclude<RedriveStep, { readonly kind: 'done' }>): string {
  if (step.kind === 'redriven') return `${step.rearIndex}\t${step.request.id}`;
  return `${step.rearIndex}\tfailed: ${printable(step.problem.detail)}`;
}

interface DropOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

/** `sluice dead drop` */
export function deadDropCommand(context: Context): Command {
  const command = new Command('drop');
  return command
    .description('delete dead requests for good, after asking')
    .argument('<service>', 'its name')
    .argument('[dead...]', 'their numbers in the list')
    .option('--all', 'all that are dead now')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
Examples:
  sluice dead drop ocr 3 4
  sluice dead export ocr -o dead.jsonl && sluice dead drop ocr --all --yes`,
    )
    .action((service: string, numbers: readonly string[], options: DropOptions) => {
      const named = numbers.map(positiveNumber);
      if ((options.all === true) === named.length > 0) {
        throw new CommandError('name those to be deleted, or say --all');
      }
      return withRequests(context, command, service, async (requests) => {
        const indexes = options.all === true ? await everyDead(context, requests) : named;
        await drop(context, requests, indexes, options.yes === true);
      });
    });
}

async function everyDead(context: Context, requests: RequestClient): Promise<readonly number[]> {
  const indexes: number[] = [];
  const all: AsyncIterable<DeadInfo> = requests.dead.list({ signal: context.interrupted });
  for await (const { rearIndex } of all) indexes.push(rearIndex);
  return indexes;
}

async function drop(
  context: Context,
  requests: RequestClient,
  indexes: readonly number[],
  isSure: boolean,
): Promise<void> {
  const { output, interrupted: signal } = context;
  const what =
    indexes.length === 1 ? `dead request ${indexes[0]}` : `${indexes.length} dead requests`;
  if (indexes.length > 0 && !isSure) {
    const question = `Delete ${what} of ${requests.service} for good?`;
    if (!(await confirm(context, question, { usual: 'no' }))) {
      throw new CommandError('nothing was deleted (--yes deletes without asking)');
    }
  }
  for (const index of indexes) await requests.dead.drop(index, { signal });
  output.ok(`Deleted ${what}`);
  if (output.isJson) output.result({ dropped: indexes }, () => []);
}
