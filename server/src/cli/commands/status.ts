// `sluice status`: the requests of a service, or everything about one of them.

import { type RequestClient, type RequestInfo, requestStates } from '@sluice/sdk';
import { Command, InvalidArgumentError, Option } from 'commander';
import { showDuration } from '../../config/duration.ts';
import { collectTag, duration, positiveNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { attemptTable, detailLines, endText, standing, withRequests } from '../requests.ts';
import { printable, shortInstant, table } from '../tables.ts';

type State = RequestInfo['state'];

interface StatusOptions {
  readonly state?: readonly State[];
  readonly tag?: ReadonlyMap<string, string>;
  readonly owner?: string;
  readonly requestId?: string;
  readonly since?: number;
  readonly number: number;
  readonly follow?: boolean;
}

const whyWidth = 60;

export function statusCommand(context: Context): Command {
  const command = new Command('status');
  return command
    .description('the requests of a service, or everything about one of them')
    .argument('<service>', 'its name')
    .argument('[request]', 'the id of one request')
    .addOption(stateOption())
    .option('--tag <name=value>', 'only requests with that tag; repeatable', collectTag)
    .option('--owner <token>', 'only those that this token submitted')
    .option('--request-id <id>', 'only those with this request id (of the queue protocols)')
    .option('--since <time>', 'only those accepted in the last 10m, 24h, ...', duration)
    .option('-n, --number <count>', 'at most that many, the newest', positiveNumber, 20)
    .option('-f, --follow', 'of one request: each change, until it is at rest')
    .addHelpText(
      'after',
      `
Says of each request that waits why it does, and when it may start where that is known.

Examples:
  sluice status ocr                               the latest 20
  sluice status ocr --state queued,running        what is not done yet
  sluice status ocr 12-3f0c11aa                   one of them, with its deliveries
  sluice status ocr --state dead --since 1h --json | jq -r '.[].id'`,
    )
    .action((service: string, id: string | undefined, options: StatusOptions) =>
      withRequests(context, command, service, async (requests) => {
        if (id === undefined) await showList(context, requests, options);
        else if (options.follow === true) await follow(context, requests, id);
        else await showOne(context, requests, id);
      }),
    );
}

function stateOption(): Option {
  const option = new Option('--state <states>', `only these: ${requestStates.join(', ')}`);
  return option.argParser((text: string, before: readonly State[] | undefined) => {
    const states = text.split(',').map((word) => word.trim());
    const strange = states.find((word) => !isState(word));
    if (strange !== undefined) {
      throw new InvalidArgumentError(`${strange} is none of ${requestStates.join(', ')}.`);
    }
    return [...(before ?? []), ...states.filter(isState)];
  });
}

function isState(word: string): word is State {
  return requestStates.some((state) => state === word);
}

async function showOne(context: Context, requests: RequestClient, id: string): Promise<void> {
  const { output, clock, interrupted: signal } = context;
  const info = await requests.status(id, { signal });
  const told = info.callback === null ? undefined : await requests.callbacks(id, { signal });
  const attempts = told?.attempts ?? [];
  output.result(told === undefined ? info : { ...info, callbacks: told }, () => [
    ...detailLines(info, clock.now().wall),
    ...(attempts.length === 0 ? [] : ['', 'Its callback:', ...attemptTable(attempts)]),
  ]);
}

async function follow(context: Context, requests: RequestClient, id: string): Promise<void> {
  for await (const info of requests.changes(id, { signal: context.interrupted })) {
    await context.output.print(info, () => [printable(standing(info))]);
  }
}

async function showList(
  context: Context,
  requests: RequestClient,
  options: StatusOptions,
): Promise<void> {
  const { state, tag, owner, requestId, since, number } = options;
  const now = context.clock.now().wall;
  const found: RequestInfo[] = [];
  let isMore = false;
  const wanted = {
    states: state,
    tags: tag,
    owner,
    requestId,
    from: since === undefined ? undefined : new Date(now - since),
    limit: Math.min(pageMax, number + 1),
    signal: context.interrupted,
  };
  for await (const info of requests.list(wanted)) {
    isMore = found.length === number;
    if (isMore) break;
    found.push(info);
  }
  context.output.result(found, () => tableOf(found, now));
  if (isMore) context.output.note(`There are more: --number ${number * 5} shows more of them`);
}

const pageMax = 500;

function tableOf(found: readonly RequestInfo[], now: number): string[] {
  return table(
    [
      { head: 'REQUEST', read: ({ id }) => id },
      { head: 'STATE', read: ({ state }) => state },
      { head: 'ACCEPTED', read: ({ acceptedAt }) => shortInstant(acceptedAt) },
      { head: 'AGE', read: (info) => ageText(info, now) },
      { head: 'DELIVERIES', read: ({ deliveries }) => deliveries },
      { head: 'INSTANCE', read: ({ instance }) => instance },
      { head: 'WHY', read: (info) => cutText(whyText(info)) },
    ],
    found,
  );
}

/** Until it came to rest, or until now. */
function ageText({ acceptedAt, doneAt }: RequestInfo, now: number): string {
  const end = doneAt === null ? now : Date.parse(doneAt);
  return showDuration(Math.max(0, end - Date.parse(acceptedAt)));
}

function whyText(info: RequestInfo): string {
  if (info.state === 'queued') return info.why?.text ?? '';
  return info.state === 'running' ? (info.progress ?? '') : endText(info);
}

function cutText(text: string): string {
  return text.length > whyWidth ? `${text.slice(0, whyWidth - 3)}...` : text;
}
