// Operations that change a queue and answer `OK`: commit, negative commit, delete, truncate, end.

import { PlatformError } from '@sluice/sdk/wire';
import type { Queues } from '../../broker/queues.ts';
import { checkCause, reasonCharactersMax } from '../../broker/request-limits.ts';
import { answerText } from '../answer.ts';
import type { EasCall, EasParts } from './call.ts';
import { identityOf } from './identity.ts';
import { bodyError } from './put.ts';
import { flagOf, indexesOf, integerOf, parseQuery } from './query.ts';
import { answerWith, refuse } from './refuse.ts';

/** Done with these messages. Unknown indexes, and the 0 that GO commits, change nothing. */
export function serveCommit(parts: EasParts, call: EasCall): void {
  const by = identityOf(call.request.headers, parts.random);
  const indexes = wantedIndexes(call);
  finish(parts, call, (queues) => queues.commit(call.queue, indexes, by));
}

/** Not processed: the messages are delivered again. Code and reason come as a form. */
export function serveNegative(parts: EasParts, call: EasCall): void {
  const { request, response, queue } = call;
  const indexes = wantedIndexes(call);
  const by = identityOf(request.headers, parts.random);
  const bytesMax = parts.limits.formBytesMax;
  parts.bodies.receive(request, response, bytesMax, {
    done(body) {
      finish(parts, call, (queues) => {
        const { code, reason } = parseForm(body);
        return queues.negative(queue, indexes, by, code, reason);
      });
    },
    refused(why) {
      const text = `the form of a negative commit has at most ${bytesMax} bytes`;
      const error =
        why.kind === 'busy'
          ? bodyError(why, { queue, bytesMax }, parts.limits)
          : new PlatformError('too_large', text);
      refuse(parts, call, error);
    },
  });
}

/** Removes messages for every group. */
export function serveDelete(parts: EasParts, call: EasCall): void {
  const indexes = wantedIndexes(call);
  finish(parts, call, (queues) => queues.delete(call.queue, indexes));
}

/** Removes every message with an index below `_index_`. */
export function serveTruncate(parts: EasParts, call: EasCall): void {
  const below = integerOf(call.query, '_index_', 0);
  if (below === undefined) {
    throw new PlatformError('bad_request', '_trunc_ needs _index_, the first index that stays');
  }
  finish(parts, call, (queues) => queues.truncate(call.queue, below));
}

/** Closes the queue for new data. */
export function serveEnd(parts: EasParts, call: EasCall): void {
  const force = flagOf(call.query, '_force_', false);
  finish(parts, call, (queues) => queues.end(call.queue, force));
}

function finish(parts: EasParts, call: EasCall, change: (queues: Queues) => Promise<void>): void {
  answerWith(
    parts,
    call,
    () => change(call.service.queues),
    () => answerText(call.response, 200, 'OK'),
  );
}

function wantedIndexes({ query }: EasCall): number[] {
  const indexes = indexesOf(query, '_indexes_');
  if (indexes === undefined) {
    throw new PlatformError('bad_request', '_indexes_ is missing: indexes separated by commas');
  }
  return indexes;
}

/** `_code_` and `_reason_` of a negative commit, each of which may be missing. */
export function parseForm(body: Uint8Array): { readonly code: string; readonly reason: string } {
  const { reserved } = parseQuery(new TextDecoder().decode(body));
  const code = reserved.get('_code_') ?? '';
  checkCause(code);
  return { code, reason: (reserved.get('_reason_') ?? '').slice(0, reasonCharactersMax) };
}
