// The parts of `sluice dead` that change nothing: list, show, export.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  DeadDescription,
  DeadExport,
  DeadInfo,
  DeadLetters,
  RequestResult,
} from '@sluice/sdk';
import { Command } from 'commander';
import { positiveNumber } from './arguments.ts';
import { CommandError, type Context } from './context.ts';
import { fileProblem } from './file-problem.ts';
import { printPayload } from './message.ts';
import { instantText, outcomeTable, withRequests } from './requests.ts';
import { writeResult } from './result-file.ts';
import { pairs, printable, shortInstant, table } from './tables.ts';

const reasonWidth = 60;
/** A larger body is passed on as it comes. */
const shownBytesMax = 2 ** 20;

interface ListOptions {
  readonly number: number;
}

/** `sluice dead ls` */
export function deadListCommand(context: Context): Command {
  const command = new Command('ls');
  return command
    .description('the dead requests of a service, the newest first')
    .argument('<service>', 'its name')
    .option('-n, --number <count>', 'at most that many', positiveNumber, 50)
    .addHelpText('after', '\nExamples:\n  sluice dead ls ocr\n  sluice dead ls ocr --json')
    .action((service: string, { number }: ListOptions) =>
      withRequests(context, command, service, async ({ dead }) => {
        const found: DeadInfo[] = [];
        for await (const each of dead.list({ signal: context.interrupted })) {
          if (found.length === number) {
            context.output.note(`There are more: --number ${number * 5} shows more of them`);
            break;
          }
          found.push(each);
        }
        context.output.result(found, () => tableOf(found));
      }),
    );
}

function tableOf(found: readonly DeadInfo[]): string[] {
  return table(
    [
      { head: 'DEAD', read: ({ rearIndex }) => rearIndex },
      { head: 'REQUEST', read: ({ id }) => id },
      { head: 'DIED', read: ({ diedAt }) => shortInstant(diedAt) },
      { head: 'DELIVERIES', read: ({ deliveries }) => deliveries },
      { head: 'SIZE', read: ({ size }) => size },
      { head: 'CODE', read: ({ code }) => code },
      { head: 'REASON', read: ({ reason }) => cutText(reason) },
    ],
    found,
  );
}

function cutText(text: string): string {
  return text.length > reasonWidth ? `${text.slice(0, reasonWidth - 3)}...` : text;
}

interface ShowOptions {
  readonly payload?: boolean;
}

/** `sluice dead show` */
export function deadShowCommand(context: Context): Command {
  const command = new Command('show');
  return command
    .description('everything about one dead request, or its body')
    .argument('<service>', 'its name')
    .argument('<dead>', 'its number in the list', positiveNumber)
    .option('--payload', 'its body alone, as it was submitted')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice dead show ocr 3\n  sluice dead show ocr 3 --payload > page.png',
    )
    .action((service: string, rearIndex: number, options: ShowOptions) =>
      withRequests(context, command, service, async ({ dead }) => {
        const signal = context.interrupted;
        if (options.payload === true) {
          await printBody(context, await dead.open(rearIndex, { signal }));
          return;
        }
        const found = await dead.look(rearIndex, { signal });
        context.output.result(found, () => linesOf(found));
      }),
    );
}

/** A large one piece by piece, unless a terminal is to show it. */
async function printBody(context: Context, body: RequestResult): Promise<void> {
  const isLarge = body.size === undefined || body.size > shownBytesMax;
  if (!isLarge || context.output.isTerminal) {
    await printPayload(context, await body.bytes(), 'only');
    return;
  }
  for await (const piece of body.stream()) await context.output.bytes(piece);
}

function linesOf(found: DeadDescription): string[] {
  const labels = Object.entries(found.tags).map(([name, value]) => `${name}=${value}`);
  return [
    ...pairs([
      ['Dead', found.rearIndex],
      ['Request', found.id],
      ['Died', instantText(found.diedAt)],
      ['Kept until', instantText(found.expiresAt)],
      ['Deliveries', found.deliveries],
      ['Code', found.code],
      ['Reason', found.reason],
      ['Size', `${found.size} bytes`],
      ['Content type', found.contentType ?? ''],
      ['Path', found.path ?? ''],
      ['Tags', labels.join(' ')],
      ['Owner', found.owner ?? ''],
      ['Index', found.index],
      ['Request id', found.requestId],
    ]),
    ...(found.outcomes.length === 0 ? [] : ['', ...outcomeTable(found)]),
    ...(found.log.length === 0 ? [] : ['', 'The last lines of its last instance:']),
    ...found.log.map((line) => `  ${printable(line)}`),
  ];
}

interface ExportOptions {
  readonly output?: string;
}

/** `sluice dead export` */
export function deadExportCommand(context: Context): Command {
  const command = new Command('export');
  return command
    .description('all dead requests with their bodies, a line of JSON each')
    .argument('<service>', 'its name')
    .option('-o, --output <file>', 'write them there')
    .addHelpText(
      'after',
      '\nA body over 1 MiB has no room in a line: with --output it is a file of its own,\n' +
        'FILE.bodies/NUMBER; else the line says where the server has it.\n' +
        '\nExamples:\n  sluice dead export ocr -o dead.jsonl\n' +
        '  sluice dead export ocr | jq -r \'select(.code == "500") | .text\'',
    )
    .action((service: string, options: ExportOptions) =>
      withRequests(context, command, service, async ({ dead }) => {
        const lines = dead.export({ signal: context.interrupted });
        if (options.output !== undefined) {
          await exportTo(context, withFiles(context, dead, lines, options.output), options.output);
        } else {
          for await (const each of lines) {
            await context.output.bytes(Buffer.from(`${JSON.stringify(each)}\n`));
          }
        }
      }),
    );
}

/** The lines, with bodies that have no room in them fetched into files of their own. */
async function* withFiles(
  { interrupted: signal }: Context,
  dead: DeadLetters,
  lines: AsyncIterable<DeadExport>,
  file: string,
): AsyncGenerator<unknown> {
  for await (const line of lines) {
    if (!('bodyAt' in line)) yield line;
    else {
      const folder = `${file}.bodies`;
      await mkdir(folder, { recursive: true });
      const bodyFile = join(folder, String(line.rearIndex));
      await writeResult(await dead.open(line.rearIndex, { signal }), bodyFile);
      yield { ...line, bodyFile };
    }
  }
}

async function exportTo(
  { output }: Context,
  lines: AsyncIterable<unknown>,
  file: string,
): Promise<void> {
  let count = 0;
  const texts = async function* (): AsyncGenerator<string> {
    for await (const line of lines) {
      count += 1;
      yield `${JSON.stringify(line)}\n`;
    }
  };
  try {
    await writeFile(file, texts());
  } catch (error) {
    const isSystem = error instanceof Error && 'syscall' in error;
    throw isSystem ? new CommandError(fileProblem(file, error)) : error;
  }
  output.ok(`${count} dead requests are written to ${file}`);
  if (output.isJson) output.result({ file, count }, () => []);
}
