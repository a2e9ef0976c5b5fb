// The requests of one service, for the commands that submit and look after them: how the server is
// asked, and how a request is said in words.

import { type CallbackAttempt, RequestClient, type RequestInfo } from '@sluice/sdk';
import type { Command } from 'commander';
import { showDuration } from '../config/duration.ts';
import { type Context, findServer } from './context.ts';
import { explained } from './services.ts';
import { pairs, shortInstant, table } from './tables.ts';

/** `patient`: goes on over a server that does not answer, and says so. Default: it is an error. */
export interface RequestsOptions {
  readonly patient?: boolean;
}

/** Runs the calls of a command about requests; a misspelt service is answered with the near one. */
export async function withRequests<Result>(
  context: Context,
  command: Command,
  service: string,
  run: (requests: RequestClient) => Promise<Result>,
  { patient = false }: RequestsOptions = {},
): Promise<Result> {
  const server = await findServer(context, command);
  try {
    // Who is patient later still learns at once when there is no such server or service.
    const probe = new RequestClient({ ...server, service, patienceMs: 0 });
    if (!patient) return await run(probe);
    await probe.page({ limit: 1, signal: context.interrupted });
    const patienceMs = Infinity;
    const platform = { fetch: tellingFetch(context) };
    return await run(new RequestClient({ ...server, service, patienceMs, platform }));
  } catch (error) {
    throw await explained(error, server, service);
  }
}

/** What is answered until there is room. */
const noRoom: ReadonlySet<number> = new Set([429, 503, 507]);

function tellingFetch({ output, interrupted }: Context): typeof globalThis.fetch {
  return async (...input) => {
    try {
      const response = await globalThis.fetch(...input);
      if (noRoom.has(response.status)) output.progress('The server has no room; waiting for it');
      return response;
    } catch (error) {
      if (!interrupted.aborted) output.progress('The server does not answer; waiting for it');
      throw error;
    }
  };
}

/** `waits behind 3, about 20 s to 1 m 5 s` and the like: where it stands, in a few words. */
export function standing(info: RequestInfo): string {
  const { state, instance, cancel, progress } = info;
  if (state === 'queued') return `queued: ${waitText(info)}`;
  if (state === 'running') {
    const canceled = cancel === null ? '' : ', to be canceled';
    const told = progress === null || progress === '' ? '' : `: ${lastLine(progress)}`;
    return `running on ${instance}${canceled}${told}`;
  }
  return [state, endText(info)].filter((text) => text !== '').join(': ');
}

/** Why it waits, and when it may start where that is known. */
export function waitText({ why, estimate }: RequestInfo): string {
  const text = (why?.text ?? 'it waits').replace(/\.$/, '');
  if (estimate?.kind !== 'range') return text;
  // Both ends may read alike: 1 h.
  const ends = new Set([estimate.earliestMs, estimate.latestMs].map(showDuration));
  return `${text}; starts in ${[...ends].join(' to ')}`;
}

/** Why it ended as it did; nothing when all went well. */
export function endText({ state, cause, code, reason, cancel }: RequestInfo): string {
  if (state === 'succeeded') return '';
  const said = [code, reason].filter((text) => text !== '').join(' ');
  const unconfirmed = cancel?.unconfirmed === true ? 'the model may still work on it' : '';
  const texts = [said === '' ? (cause ?? '') : said, unconfirmed];
  return texts.filter((text) => text !== '' && text !== state).join('; ');
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

/** How long it waited, ran, and took in all, as far as it has come. */
function times(info: RequestInfo, nowMs: number): string {
  const accepted = Date.parse(info.acceptedAt);
  const first = info.firstDeliveredAt === null ? undefined : Date.parse(info.firstDeliveredAt);
  const done = info.doneAt === null ? undefined : Date.parse(info.doneAt);
  const waited = (first ?? done ?? nowMs) - accepted;
  const texts = [`waited ${span(waited)}`];
  if (first !== undefined) texts.push(`worked on for ${span((done ?? nowMs) - first)}`);
  return texts.join(', ');
}

function span(ms: number): string {
  return showDuration(Math.max(0, ms));
}

/** Everything about one request. */
export function detailLines(info: RequestInfo, nowMs: number): string[] {
  const { tags, cancel, outcomes, callback, estimate } = info;
  const labels = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return [
    ...pairs([
      ['Request', info.id],
      ['State', standing(info)],
      ['Times', times(info, nowMs)],
      ['Place', (info.position ?? 0) === 0 ? '' : `behind ${info.position}`],
      ['No estimate', estimate?.kind === 'none' ? estimate.reason : ''],
      ['Accepted', instantText(info.acceptedAt)],
      ['Delayed until', instantText(info.delayUntil)],
      ['First delivered', instantText(info.firstDeliveredAt)],
      ['First output', instantText(info.firstOutputAt)],
      ['Last delivered', instantText(info.lastDeliveredAt)],
      ['Done', instantText(info.doneAt)],
      ['To finish by', instantText(info.finishBy)],
      ['Kept until', instantText(info.retainUntil)],
      ['Instance', info.instance],
      ['Revision', info.revision ?? ''],
      ['Deliveries', info.deliveries],
      ['Code', info.code],
      ['Reason', info.reason],
      ['Cancel', cancel === null ? '' : cancelText(cancel)],
      ['Size', `${info.sizeIn} bytes in, ${info.sizeOut} out`],
      ['Priority', info.priority === 0 ? '' : info.priority],
      ['Tags', labels.join(' ')],
      ['Owner', info.owner ?? ''],
      ['Path', info.path ?? ''],
      ['Callback', callback === null ? '' : [callback.url, ...callback.events].join(' ')],
      ['Key', info.idempotencyKey ?? ''],
      ['Made from', info.redriveOf === null ? '' : `the dead request of index ${info.redriveOf}`],
      ['Made anew', info.redrivenAs === null ? '' : `as the request of index ${info.redrivenAs}`],
      ['Result in', info.home === 'sink' ? 'the sink queue' : ''],
      ['Index', info.index],
      ['Request id', info.requestId],
    ]),
    ...(outcomes.length === 0 ? [] : ['', 'Deliveries that ended before:', ...outcomeTable(info)]),
  ];
}

/** Each delivery that ended, and how. */
export function outcomeTable({ outcomes }: Pick<RequestInfo, 'outcomes'>): string[] {
  return table(
    [
      { head: 'DELIVERED', read: ({ deliveredAt }) => shortInstant(deliveredAt) },
      {
        head: 'LASTED',
        read: ({ deliveredAt, endedAt }) => span(Date.parse(endedAt) - Date.parse(deliveredAt)),
      },
      { head: 'INSTANCE', read: ({ instance }) => instance },
      { head: 'COUNTED', read: ({ counted }) => (counted ? 'yes' : 'no') },
      { head: 'CODE', read: ({ code }) => code },
      { head: 'REASON', read: ({ reason }) => reason },
    ],
    outcomes,
  );
}

/** Each attempt to deliver a callback, and what came of it. */
export function attemptTable(attempts: readonly CallbackAttempt[]): string[] {
  return table(
    [
      { head: 'AT', read: ({ at }) => shortInstant(at) },
      { head: 'EVENT', read: ({ event }) => event },
      { head: 'ANSWER', read: ({ status }) => status ?? '' },
      { head: 'OUTCOME', read: ({ outcome }) => outcome },
      { head: 'AGAIN AT', read: ({ nextAt }) => instantText(nextAt) },
      { head: 'WHY', read: ({ error }) => error },
    ],
    attempts,
  );
}

function cancelText(cancel: NonNullable<RequestInfo['cancel']>): string {
  const asked = `asked for at ${shortInstant(cancel.requestedAt)}`;
  if (cancel.unconfirmed) return `${asked}, unconfirmed: the model may still work on it`;
  const wasted = cancel.wastedMs === null ? '' : `, ${span(cancel.wastedMs)} worked in vain`;
  return `${asked}, effective at ${instantText(cancel.effectiveAt)}${wasted}`;
}

/** Without the fraction of a second; empty for null. */
export function instantText(text: string | null): string {
  return text === null ? '' : shortInstant(text);
}
