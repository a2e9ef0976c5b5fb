// Batches: many submissions in one call, one JSON object a line, each with an outcome of its own on
// a line of the answer, in the same order. A bad line stops no other; leaving stops those that were
// not read yet.

import type { BatchOutcome, Problem } from '@sluice/sdk/wire';
import { PlatformError } from '@sluice/sdk/wire';
import { discardBody } from '../body.ts';
import { limitText } from '../limits.ts';
import { failureOf } from './answer.ts';
import { submissionOfLine } from './batch-line.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { infoOf } from './info.ts';
import { LineAnswer } from './line-answer.ts';
import { type Line, linesOf } from './line-reader.ts';
import { ownerOf } from './visibility.ts';

/** Answers are kept until they are read, because clients tend to write everything first: with this
 * many lines they have a few MB. */
export const batchLinesMax = 10_000;
/** Lines that are being put at the same time. */
const atOnce = 64;
/** Room for everything in a line but its body. */
const fieldsBytesMax = 32 * 1024;

export async function serveBatch(parts: RequestParts, call: RequestCall): Promise<void> {
  const { request, response, service } = call;
  if (request.headers.expect !== undefined) response.writeContinue();
  const answer = new LineAnswer(response, parts.clock);
  const payloadMax = service.queues.payloadBytesMax('input');
  // In base64 a body has a third more; escaped as a string at worst six times as much.
  const bytesMax = Math.ceil((payloadMax * 4) / 3) + fieldsBytesMax;
  const under: Promise<BatchOutcome>[] = [];
  let line = 0;
  const next = async (): Promise<void> => {
    const outcome = await under.shift();
    if (outcome !== undefined) answer.write(outcome);
  };
  for await (const each of linesOf(piecesOf(request), bytesMax)) {
    if (!answer.isOpen) break;
    line += 1;
    answer.begin();
    if (line > batchLinesMax) {
      under.push(Promise.resolve({ line, problem: tooMany() }));
      discardBody(request, parts.limits.discardBytesMax);
      break;
    }
    under.push(outcomeOf(parts, call, { line, each, bytesMax, payloadMax }));
    if (under.length >= atOnce) await next();
  }
  while (under.length > 0) await next();
  answer.end();
}

/** Leaves the request whole when it is not read to its end: it carries the answer, too. */
function piecesOf(request: RequestCall['request']): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false });
}

interface LineOfBatch {
  readonly line: number;
  readonly each: Line;
  readonly bytesMax: number;
  readonly payloadMax: number;
}

/** Never rejects. */
async function outcomeOf(
  parts: RequestParts,
  { service, grant }: RequestCall,
  { line, each, bytesMax, payloadMax }: LineOfBatch,
): Promise<BatchOutcome> {
  try {
    if (each.kind === 'tooLong') {
      throw new PlatformError('too_large', `the line has more than ${bytesMax} bytes`);
    }
    const now = parts.clock.now().wall;
    const how = { owner: ownerOf(grant), bytesMax: payloadMax, now };
    const submission = submissionOfLine(each.bytes, how);
    const { id, repeated } = await withRoom(parts, each.bytes.length, () =>
      parts.desk.submit(service.name, submission),
    );
    parts.meters.submitted(service.name, repeated ? 'repeated' : 'accepted');
    const view = await parts.desk.view(service.name, id);
    if (view === undefined) throw new PlatformError('gone', `there is no record of ${id} now`);
    return { line, request: infoOf(view), repeated };
  } catch (error) {
    if (!(error instanceof PlatformError)) parts.log.error({ err: error }, 'batch line failed');
    return { line, problem: failureOf(error).problem };
  }
}

/** Counts a line among the bodies on their way in. */
async function withRoom<Value>(
  { bodies, limits }: RequestParts,
  bytes: number,
  work: () => Promise<Value>,
): Promise<Value> {
  if (!bodies.reserve(bytes)) {
    const text = `too many bodies arrive at once: ${limitText(limits, 'bodiesBytesMax')}`;
    throw new PlatformError('unavailable', text, { retryAfterMs: 1000 });
  }
  try {
    return await work();
  } finally {
    bodies.release(bytes);
  }
}

function tooMany(): Problem {
  const text = `a batch has at most ${batchLinesMax} lines: this one and the rest were not read`;
  return failureOf(new PlatformError('too_large', text)).problem;
}
