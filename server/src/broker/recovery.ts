// Brings a service's state back from its engine and opens a new epoch, durably, before anything
// is served.

import { PlatformError } from '@sluice/sdk/wire';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../kernel/clock.ts';
import { invariant } from '../kernel/invariant.ts';
import type { Random } from '../kernel/random.ts';
import { apply } from '../queue/apply.ts';
import { type Change, type Durable, isDurable, isUnsealed } from '../queue/change.ts';
import { decideRecovered, Restorer } from '../queue/restore.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import { createState, durableState, type State } from '../queue/state.ts';
import type { Transition } from '../queue/transition.ts';
import type { BodyBook } from './body-book.ts';

export interface RecoveryOptions {
  readonly number: number;
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  /** Is filled with the names of bodies. */
  readonly bodies?: BodyBook;
}

export interface Recovered {
  readonly state: State;
  /** The sequence of the last append. */
  readonly sequence: number;
}

const epochMax = 2 ** 21;

/** Throws `unavailable` when the engine refuses the new epoch, something else when what it keeps
 * can't be read: trying again does not help then. */
export async function recoverState(options: RecoveryOptions): Promise<Recovered> {
  const { clock, random } = options;
  const key = { low: random.uint32(), high: random.uint32() };
  const state = createState(options.service, options.settings, key);
  await restoreRows(state, options);
  let sequence = 0;
  // Delivery ids stay below 2^53: epoch × 2^32 + counter.
  invariant(state.epoch + 1 < epochMax, 'a service has fewer epochs than 2^21');
  const epoch: Change = { kind: 'epoch', epoch: state.epoch + 1 };
  for (let isFirst = true; ; isFirst = false) {
    const now = clock.now();
    const decision = decideRecovered(state, now);
    const changes = isFirst ? [epoch, ...decision.changes] : decision.changes;
    for (const change of changes) apply(state, change, now);
    const durable = changes.filter(isDurable).map(takesNothing);
    if (durable.length > 0) {
      sequence += 1;
      await write(state, sequence, durable, options);
    }
    if (!decision.more) return { state, sequence };
  }
}

async function restoreRows(state: State, options: RecoveryOptions): Promise<void> {
  const restorer = new Restorer(state, options.clock.now());
  const { bodies } = options;
  bodies?.begin();
  for await (const rows of options.engine.recover(options.number)) {
    for (const row of rows) {
      bodies?.row(row);
      switch (row.kind) {
        case 'state':
          restorer.state(row.state);
          break;
        case 'group':
          restorer.group(row.queue, row);
          break;
        case 'message':
          restorer.message(row.queue, row.meta);
          break;
        case 'mark':
          restorer.mark(row.queue, row.group, row.index, row.mark);
          break;
        case 'record':
          restorer.record(row.record);
          break;
        case 'outbox':
          break;
      }
    }
    await new Promise<void>((resolve) => options.clock.defer(resolve));
  }
  restorer.finish();
  bodies?.whole();
}

/** Recovery gives messages back and opens an epoch: nothing leaves, so nothing needs a meta. */
function takesNothing(change: Durable): Transition {
  invariant(!isUnsealed(change), 'recovery takes no message away');
  return change;
}

async function write(
  state: State,
  sequence: number,
  transitions: readonly Transition[],
  options: RecoveryOptions,
): Promise<void> {
  const outcome = await options.engine.append({
    service: options.number,
    epoch: state.epoch,
    sequence,
    state: durableState(state),
    transitions,
  });
  if (outcome.kind !== 'durable') {
    const text = `the engine did not accept epoch ${state.epoch}: ${outcome.kind}`;
    throw new PlatformError('unavailable', text);
  }
}
