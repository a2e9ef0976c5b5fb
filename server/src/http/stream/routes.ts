// Which function serves which call on a queue, and what it needs: the permission, and whether it
// begins something new, which a stopped service refuses, or goes on with what is there.

import type { Checkpoint, ClientOperation, Complete, Put } from '@sluice/sdk/wire';
import * as calls from './calls.ts';
import type { Need } from './channel.ts';
import * as work from './work-calls.ts';

/** Calls that bring a payload, maybe in parts. */
export type SizedCall = Put | Complete | Checkpoint;

/** All other calls on a queue that have an answer. */
export type PlainCall = Exclude<
  Extract<ClientOperation, { readonly number: number; readonly channel: number }>,
  SizedCall
>;

export const needs: Readonly<Record<PlainCall['kind'] | SizedCall['kind'], Need>> = {
  put: { operation: 'put', begins: true },
  get: { operation: 'get', begins: true },
  watch: { operation: 'watch', begins: true },
  search: { operation: 'search', begins: true },
  count: { operation: 'count', begins: true },
  complete: { operation: 'commit', begins: false },
  commit: { operation: 'commit', begins: false },
  giveBack: { operation: 'negative', begins: false },
  touch: { operation: 'commit', begins: false },
  progress: { operation: 'commit', begins: false },
  checkpoint: { operation: 'commit', begins: false },
  recall: { operation: 'commit', begins: false },
  follow: { operation: 'count', begins: false },
  commitIndexes: { operation: 'commit', begins: false },
  negative: { operation: 'negative', begins: false },
  delete: { operation: 'delete', begins: false },
  truncate: { operation: 'truncate', begins: false },
  end: { operation: 'end', begins: false },
  attributes: { operation: 'attributes', begins: false },
  report: { operation: 'watch', begins: false },
};

export function isSized(operation: ClientOperation): operation is SizedCall {
  const { kind } = operation;
  return kind === 'put' || kind === 'complete' || kind === 'checkpoint';
}

export function isCall(operation: ClientOperation): operation is PlainCall {
  return 'channel' in operation && 'number' in operation;
}

/** The payload is the call's own, or what its parts made. */
export function runSized(place: calls.Place, call: SizedCall, payload: Uint8Array): void {
  switch (call.kind) {
    case 'put':
      calls.callPut(place, call, payload);
      break;
    case 'complete':
      calls.callComplete(place, call, payload);
      break;
    case 'checkpoint':
      work.callCheckpoint(place, call, payload);
      break;
  }
}

export function runCall(place: calls.Place, call: PlainCall): void {
  switch (call.kind) {
    case 'commit':
      calls.callCommit(place, call);
      break;
    case 'giveBack':
      calls.callGiveBack(place, call);
      break;
    case 'get':
      place.gets.begin(place, call);
      break;
    case 'watch':
      place.watches.open(place, call);
      break;
    case 'touch':
      calls.callTouch(place, call);
      break;
    case 'progress':
      work.callProgress(place, call);
      break;
    case 'recall':
      work.callRecall(place, call);
      break;
    case 'follow':
      place.follows.begin(place, call);
      break;
    case 'commitIndexes':
    case 'delete':
      calls.callByIndexes(place, call);
      break;
    case 'negative':
      calls.callNegative(place, call);
      break;
    case 'search':
      calls.callSearch(place, call);
      break;
    case 'truncate':
      calls.callTruncate(place, call);
      break;
    case 'count':
      calls.callCount(place, call);
      break;
    case 'attributes':
      calls.callAttributes(place, call);
      break;
    case 'end':
      calls.callEnd(place, call);
      break;
    case 'report':
      calls.callReport(place, call);
      break;
  }
}
