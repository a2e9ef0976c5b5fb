// Dead requests, many at a time: put anew at a rate, and taken out as lines. Whoever leaves stops
// what has not been done.

import type { DeadExport, RedriveStep, RedriveWish } from '@sluice/sdk/wire';
import { PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { DeadRequest } from '../../requests/request.ts';
import { failureOf } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { noDead } from './dead.ts';
import { type DeadLook, noEdit } from './host.ts';
import { deadInfoOf, infoOf, pathOfDead } from './info.ts';
import { LineAnswer } from './line-answer.ts';
import { receiveJson } from './receive.ts';

/** Most of one call. */
export const redriveMax = 100_000;
const rateMax = 10_000;
const pageLength = 200;
/** A larger body in a file has no room in a line of an export. */
const lineBodyBytesMax = 2 ** 20;

type Wish = { readonly [Name in keyof RedriveWish]?: RedriveWish[Name] | undefined };

/** As the SDK's `RedriveWish`. */
export const redriveWish: z.ZodType<Wish> = z.strictObject({
  indexes: z
    .array(z.int().min(1))
    .max(10_000)
    .optional()
    .describe('Indexes in the rear queue; all without it.'),
  tags: z.record(z.string(), z.string()).optional().describe('Only those with these tags.'),
  code: z.string().max(64).optional().describe('Only those that died with this code.'),
  perSecond: z.number().min(0.01).max(rateMax).optional().describe('At most so many a second.'),
});

/** Answers a line for each one, the oldest first, and at the end the sums. */
export async function serveDeadRedriveMany(parts: RequestParts, call: RequestCall): Promise<void> {
  const wish = await receiveJson(parts, call, redriveWish);
  const service = call.service.name;
  const chosen = await choose(parts, service, wish);
  const answer = new LineAnswer(call.response, parts.clock);
  // It may take hours: it ends with all that are held back when the server stops.
  const poll = parts.polls.enter(call.request.socket);
  try {
    answer.begin();
    await redriveAll(parts, { service, chosen, perSecond: wish.perSecond }, answer, poll.signal);
  } finally {
    poll.leave();
  }
}

interface ManyRedriven {
  readonly service: string;
  /** Rear indexes. */
  readonly chosen: readonly number[];
  readonly perSecond: number | undefined;
}

async function redriveAll(
  parts: RequestParts,
  { service, chosen, perSecond }: ManyRedriven,
  answer: LineAnswer,
  signal: AbortSignal,
): Promise<void> {
  const write = (step: RedriveStep): void => answer.write(step);
  const gapMs = perSecond === undefined ? 0 : 1000 / perSecond;
  const begunAt = parts.clock.now().mono;
  let redriven = 0;
  let failed = 0;
  for (const [at, rearIndex] of chosen.entries()) {
    await pause(parts, begunAt + at * gapMs, signal);
    await answer.taken();
    if (!answer.isOpen) return;
    if (signal.aborted) return answer.cut();
    const step = await redrive(parts, service, rearIndex);
    if (step.kind === 'redriven') redriven += 1;
    else failed += 1;
    write(step);
  }
  write({ kind: 'done', redriven, failed });
  answer.end();
}

/** Answers a line for each dead request, the newest first, with its body. */
export async function serveDeadExport(parts: RequestParts, call: RequestCall): Promise<void> {
  const service = call.service.name;
  const answer = new LineAnswer(call.response, parts.clock);
  for await (const { rearIndex } of eachDead(parts, service)) {
    if (!answer.isOpen) return;
    const found = await parts.desk.dead.look(service, rearIndex);
    // It was put anew or dropped in the meantime.
    if (found === undefined) continue;
    const line: DeadExport = {
      ...deadInfoOf(found.dead),
      ...(await bodyOf(parts, service, found)),
    };
    answer.write(line);
    await answer.taken();
  }
  answer.end();
}

async function* eachDead(
  { desk }: Pick<RequestParts, 'desk'>,
  service: string,
): AsyncGenerator<DeadRequest> {
  let below = 0;
  do {
    const page = await desk.dead.list(service, { below, limit: pageLength });
    yield* page.dead;
    below = page.next;
  } while (below !== 0);
}

async function choose(parts: RequestParts, service: string, wish: Wish): Promise<number[]> {
  const { indexes, tags = {}, code } = wish;
  const wanted = indexes === undefined ? undefined : new Set(indexes);
  const found: number[] = [];
  for await (const dead of eachDead(parts, service)) {
    if (wanted !== undefined && !wanted.delete(dead.rearIndex)) continue;
    if (code !== undefined && dead.code !== code) continue;
    if (Object.entries(tags).some(([name, value]) => dead.tags.get(name) !== value)) continue;
    found.push(dead.rearIndex);
    if (found.length >= redriveMax) break;
  }
  // Those that are named and not there are tried too: the answer says so of each.
  if (wanted !== undefined && code === undefined && wish.tags === undefined) found.push(...wanted);
  return found.sort((one, other) => one - other);
}

async function redrive(
  { desk, log }: RequestParts,
  service: string,
  rearIndex: number,
): Promise<RedriveStep> {
  try {
    const { id } = await desk.dead.redrive(service, rearIndex, noEdit);
    const view = await desk.view(service, id);
    if (view === undefined) throw noDead(rearIndex);
    return { kind: 'redriven', rearIndex, request: infoOf(view) };
  } catch (error) {
    if (!(error instanceof PlatformError)) log.error({ err: error }, 'redrive failed');
    return { kind: 'failed', rearIndex, problem: failureOf(error).problem };
  }
}

/** Resolves at a time of the monotonic clock, or when the signal is aborted. */
function pause({ clock }: RequestParts, until: number, signal: AbortSignal): Promise<void> {
  const ms = until - clock.now().mono;
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type ExportedBody =
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly bodyAt: string };

/** In the line where one can carry it, else where it is. */
async function bodyOf(
  { store }: Pick<RequestParts, 'store'>,
  service: string,
  { dead, payload, body }: DeadLook,
): Promise<ExportedBody> {
  if (body === undefined) return shown(payload);
  if (body.kind === 'address') return { bodyAt: body.url };
  const opened = body.size < lineBodyBytesMax ? await store?.open(body.name) : undefined;
  if (opened === undefined) return { bodyAt: pathOfDead(service, dead.rearIndex, 'payload') };
  const pieces: Uint8Array[] = [];
  for await (const piece of opened.stream) pieces.push(piece);
  return shown(Buffer.concat(pieces));
}

function shown(payload: Uint8Array): ExportedBody {
  try {
    return { text: utf8.decode(payload) };
  } catch {
    return { base64: Buffer.from(payload).toString('base64') };
  }
}
