// New messages: end of stream, sizes, repeated puts, places in the sink, capacity and eviction
// (rules 1, 3, 11, 15, 16).

import { oversizedText, PlatformError } from '@sluice/sdk/wire';
import { keyHashOf } from './apply.ts';
import type { Change } from './change.ts';
import { answering, type Decision, refusing } from './decision.ts';
import { type Hash, hashText } from './hash.ts';
import { evict } from './lease-end.ts';
import { emptyMark } from './mark.ts';
import type { MessageMeta, QueueName } from './message.ts';
import {
  capacityOf,
  type Entry,
  hasWorkingGroup,
  payloadBytesMaxOf,
  type QueueState,
  type State,
  usedOf,
} from './state.ts';
import { readTerms } from './terms.ts';
import type { Time } from './time.ts';

export interface PutCommand {
  readonly kind: 'put';
  readonly queue: QueueName;
  /** All of the message but its index, which is 0 here. */
  readonly meta: MessageMeta;
  readonly payload: Uint8Array;
  readonly gid: string;
  readonly uid: string;
  /** Only the disk's reserve is left, which is for what ends requests: results with a place, not
   * for new messages. */
  readonly isDiskLow: boolean;
}

const diskLowRetryMs = 10_000;

export function decidePut(state: State, command: PutCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  const isInput = queue.name === 'input';
  // Before every refusal: whoever repeats a put was never told that it had been taken.
  const keyed = isInput ? keyedOf(state, queue, command, now) : undefined;
  if (keyed !== undefined) return keyed;
  const first = isInput ? firstOf(state, command, now) : undefined;
  if (first !== undefined) return repeated(queue, first);
  const refused: Change = { kind: 'count', queue: queue.name, what: 'refused' };
  if (queue.ended) {
    return refusing('ended', `the ${queue.name} queue of ${state.service} has ended`, [refused]);
  }
  const { meta } = command;
  const sizeMax = payloadBytesMaxOf(state, queue);
  if (meta.size > sizeMax) {
    const sizes = { bytes: meta.size, bytesMax: sizeMax, queue: queue.name };
    return refusing('too_large', oversizedText({ what: 'a payload', ...sizes }), [refused]);
  }
  if (queue.name === 'sink' && command.gid === state.service) {
    return decideResultPut(state, queue, command, now);
  }
  if (isInput && delayMsOf(meta, now) > 0 && !canDelay(state)) {
    const { service } = state;
    const text =
      `a delay is kept by the group named like the service, and others work for ${service}: ` +
      'give it instances, or have its consumers join that group';
    return refusing('unprocessable', text, [refused]);
  }
  return store(state, queue, command, now);
}

/** Milliseconds until it may start; 0 or less = at once. */
function delayMsOf({ terms }: MessageMeta, now: Time): number {
  return terms === undefined ? 0 : readTerms(terms).delayUntil - now.wall;
}

/** Other groups know nothing of delays, and one of ours beside them would have what they get be
 * copies (rule 7). */
function canDelay(state: State): boolean {
  return hasWorkingGroup(state) || state.queues.input.groups.size === 0;
}

/** The same key and body get the first answer, whatever has become of it since; another body is
 * a mistake. */
function keyedOf(
  state: State,
  queue: QueueState,
  { meta }: PutCommand,
  now: Time,
): Decision | undefined {
  const key = keyHashOf(state.key, meta);
  if (key === undefined) return undefined;
  const first = state.keys.find(key, now.wall, state.settings.idempotencyMs).at(-1);
  if (first === undefined) return undefined;
  if (first.bodyHash === meta.bodyHash) return repeated(queue, first.index);
  const text = 'this idempotency key was used for a request with another body';
  return refusing('key_reused', text, [{ kind: 'count', queue: queue.name, what: 'refused' }]);
}

/** Rule 15: the index of the put that this one repeats; undefined: it is a new one. */
function firstOf(state: State, { meta }: PutCommand, now: Time): number | undefined {
  if (!meta.callerId || !state.settings.dedup) return undefined;
  const known = state.accepted.find(hashText(state.key, meta.id), now.wall);
  return known.find(({ bodyHash }) => bodyHash === meta.bodyHash)?.index;
}

function repeated(queue: QueueState, index: number): Decision {
  const count: Change = { kind: 'count', queue: queue.name, what: 'repeated' };
  return answering({ kind: 'put', index, repeated: true }, [count]);
}

/** Rule 3: a result from a member of the working group uses the place its request holds. */
function decideResultPut(state: State, sink: QueueState, command: PutCommand, now: Time): Decision {
  const idHash = hashText(state.key, command.meta.id);
  const holders = holdersOf(state, idHash);
  const unused = holders.filter((entry) => entry.mark.placeIndex === 0);
  const own = unused.find(
    (entry) => entry.consumer !== undefined && entry.mark.uid === command.uid,
  );
  const chosen = own ?? unused[0];
  if (chosen !== undefined) return storeInPlace(state, sink, chosen, command, now);
  const first = holders[0];
  if (first !== undefined) return repeated(sink, first.mark.placeIndex);
  if (state.queues.input.messages.withId(idHash).length === 0) {
    const [known] = state.rested.find(idHash, now.wall);
    if (known !== undefined) return repeated(sink, known.index);
  }
  return store(state, sink, command, now);
}

/** Entries of the working group with this request id that hold a place, by index. */
function holdersOf(state: State, idHash: Hash): Entry[] {
  const { input } = state.queues;
  const working = input.groups.get(state.service);
  if (working === undefined) return [];
  const holders: Entry[] = [];
  for (const index of input.messages.withId(idHash)) {
    const entry = working.entries.get(index);
    if (entry?.mark.place === true) holders.push(entry);
  }
  return holders;
}

function storeInPlace(
  state: State,
  sink: QueueState,
  entry: Entry,
  command: PutCommand,
  now: Time,
): Decision {
  const index = sink.lastIndex + 1;
  const working = state.queues.input.groups.get(state.service);
  const changes: Change[] = [];
  if (state.settings.sink.autoEvict && sink.messages.length >= capacityOf(state, sink)) {
    changes.push(...evict(state, sink, now));
  }
  const meta = { ...command.meta, index, source: entry.index };
  changes.push(
    { kind: 'put', queue: 'sink', message: { meta, payload: command.payload } },
    {
      kind: 'keep',
      queue: 'input',
      group: working?.number ?? 0,
      index: entry.index,
      mark: { ...entry.mark, placeIndex: index },
    },
  );
  return answering({ kind: 'put', index, repeated: false }, changes);
}

/** Rule 11: in when there is room, or when something may be evicted for it. */
function store(state: State, queue: QueueState, command: PutCommand, now: Time): Decision {
  if (command.isDiskLow) {
    const text = 'the disk has no room for new messages; completion and deletion still work';
    const error = new PlatformError('disk_full', text, { retryAfterMs: diskLowRetryMs });
    return answering({ kind: 'refused', error }, [
      { kind: 'count', queue: queue.name, what: 'refused' },
    ]);
  }
  const changes: Change[] = [];
  const capacity = capacityOf(state, queue);
  const evicts = autoEvicts(state, queue);
  const used = evicts ? queue.messages.length : usedOf(state, queue);
  if (used >= capacity) {
    if (evicts) changes.push(...evict(state, queue, now));
    if (changes.length === 0) {
      const places = `${used} of ${capacity} places are taken`;
      const text = `the ${queue.name} queue of ${state.service} is full: ${places}`;
      return refusing('queue_full', text, [{ kind: 'count', queue: queue.name, what: 'refused' }]);
    }
  }
  const index = queue.lastIndex + 1;
  const meta = { ...command.meta, index };
  changes.push({ kind: 'put', queue: queue.name, message: { meta, payload: command.payload } });
  if (queue.name === 'input' && meta.terms !== undefined) changes.push(...delay(state, meta, now));
  return answering({ kind: 'put', index, repeated: false }, changes);
}

/** A request with a delay waits like one that came back, but that it was never delivered. */
function delay(state: State, meta: MessageMeta, now: Time): Change[] {
  const waitMs = delayMsOf(meta, now);
  if (waitMs <= 0) return [];
  const gid = state.service;
  const working = state.queues.input.groups.get(gid);
  const group = working?.number ?? state.lastGroup + 1;
  const changes: Change[] = [];
  if (working === undefined) {
    const rest = { from: 0, usedAt: now.wall, resolved: new Map<string, number>() };
    changes.push({ kind: 'group', queue: 'input', group, gid, ...rest });
  }
  changes.push({
    kind: 'return',
    queue: 'input',
    gid,
    group,
    index: meta.index,
    mark: { ...emptyMark, notBefore: now.wall + waitMs },
    backoffUntil: now.mono + waitMs,
    avoid: '',
    occupies: false,
  });
  return changes;
}

function autoEvicts(state: State, queue: QueueState): boolean {
  switch (queue.name) {
    case 'input':
      return state.settings.source.autoEvict;
    case 'sink':
      return state.settings.sink.autoEvict;
    case 'inputRear':
    case 'sinkRear':
      return true;
  }
}
