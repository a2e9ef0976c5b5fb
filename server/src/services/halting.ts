// Stopping a service and starting it again. The wish is durable first; then instances finish and
// leave while the queues hand nothing more out; when nothing is left, the queues are closed, with
// all that is in them. Whether anything is left is looked at again and again, outside of the
// service's turn, so that other calls on the service go on.

import type { Clock, Timer } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { QueueName } from '../queue/message.ts';
import type { Catalog } from './catalog.ts';
import type { RestingQueue } from './definition.ts';
import type { Hosted } from './hosted.ts';
import type { Ledger } from './ledger.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { QueueHost, ServiceRuntime } from './ports.ts';
import { leftOf } from './status.ts';
import type { Turns } from './turns.ts';

export interface HaltingParts {
  readonly catalog: Catalog;
  readonly ledger: Ledger;
  readonly lifecycle: Lifecycle;
  readonly queues: QueueHost;
  readonly runtime: ServiceRuntime;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly log: Log;
  readonly record: RecordEvent;
}

/** From one look at what is left to the next. */
export const lookMs = 50;

const queueNames: readonly QueueName[] = ['input', 'sink', 'inputRear', 'sinkRear'];

/** One service that is being stopped. */
interface Halt {
  /** Monotonic clock. */
  readonly since: number;
  /** Nothing is waited for that runs outside of our instances. */
  isHurried: boolean;
  /** What its queues held when they were closed. */
  resting: Readonly<Record<string, RestingQueue>> | undefined;
  timer: Timer | undefined;
}

export class Halting {
  readonly #parts: HaltingParts;
  readonly #halts = new Map<string, Halt>();
  #isClosed = false;

  constructor(parts: HaltingParts) {
    this.#parts = parts;
  }

  /** In the service's turn. Resolves when the wish is durable and instances are told. */
  async stop(hosted: Hosted, { now }: { readonly now: boolean }): Promise<void> {
    const { name } = hosted;
    if (hosted.phase === 'stopped') return;
    if (hosted.phase !== 'stopping') {
      const definition = { ...hosted.definition, state: 'stopping' } as const;
      const stopping: Hosted = { ...hosted, phase: 'stopping', definition };
      await this.#parts.ledger.save(stopping);
      this.#parts.catalog.put(stopping);
      this.#tell(
        name,
        'stopping',
        now ? 'Service is being stopped now' : 'Service is being stopped',
      );
      await this.#begin(stopping);
    }
    if (now) this.#hurry(name);
  }

  /** After a start of the process; in the service's turn, its queues open. */
  resume(hosted: Hosted): Promise<void> {
    return this.#begin(hosted);
  }

  /** In the service's turn. Resolves when its queues are open and instances are told. */
  async start(hosted: Hosted): Promise<void> {
    const { name, phase } = hosted;
    if (phase !== 'stopped' && phase !== 'stopping') return;
    const { catalog, ledger, lifecycle, queues } = this.#parts;
    const { resting: _, ...definition } = hosted.definition;
    const live: Hosted = { ...hosted, phase: 'live', definition: { ...definition, state: 'live' } };
    await ledger.save(live);
    this.forget(name);
    if (live.parsed === undefined) {
      catalog.put(live);
      return;
    }
    try {
      await lifecycle.settle(live, live.parsed);
    } catch (error) {
      await ledger.save(hosted);
      if (phase === 'stopping') await this.#begin(hosted);
      throw error;
    }
    queues.hold(name, false);
    this.#tell(name, 'started', 'Service started');
  }

  /** Looks no more at it: it is deleted, or wanted again. */
  forget(name: string): void {
    this.#halts.get(name)?.timer?.cancel();
    this.#halts.delete(name);
  }

  close(): void {
    this.#isClosed = true;
    for (const name of [...this.#halts.keys()]) this.forget(name);
  }

  async #begin(hosted: Hosted): Promise<void> {
    const { clock, queues, lifecycle } = this.#parts;
    const { name, parsed, isOpened } = hosted;
    const since = clock.now().mono;
    this.#halts.set(name, { since, isHurried: false, resting: undefined, timer: undefined });
    if (isOpened) queues.hold(name, true);
    if (parsed !== undefined) await lifecycle.deploy(hosted, parsed);
    this.#lookLater(name);
  }

  #hurry(name: string): void {
    const halt = this.#halts.get(name);
    if (halt !== undefined) halt.isHurried = true;
    this.#parts.runtime.hurry(name);
  }

  #lookLater(name: string): void {
    const halt = this.#halts.get(name);
    if (halt === undefined || this.#isClosed) return;
    const { clock, turns, runtime, log } = this.#parts;
    halt.timer = clock.after(lookMs, () => {
      // Instances that were only told to leave after the first call.
      if (halt.isHurried) runtime.hurry(name);
      if (this.#hasLeft(name)) this.#lookLater(name);
      else {
        turns
          .take(name, () => this.#finish(name))
          .catch((error: unknown) => {
            log.error({ service: name, error }, 'service not stopped');
            this.#lookLater(name);
          });
      }
    });
  }

  /** Whether something still runs, here or, as far as leases tell, anywhere else. */
  #hasLeft(name: string): boolean {
    const { catalog, queues, runtime, clock } = this.#parts;
    const hosted = catalog.get(name);
    const halt = this.#halts.get(name);
    if (hosted?.parsed === undefined || halt === undefined) return false;
    const report = runtime.report(name);
    // Where the instances can't be run there is nobody to ask.
    if (report === undefined) return hosted.fault === undefined;
    if (leftOf(report) > 0) return true;
    const { drainTimeoutMs } = hosted.parsed.spec.instances;
    const patienceMs = drainTimeoutMs === 0 ? Number.POSITIVE_INFINITY : drainTimeoutMs;
    if (halt.isHurried || clock.now().mono - halt.since >= patienceMs) return false;
    return (queues.find(name)?.view('input').leased ?? 0) > 0;
  }

  async #finish(name: string): Promise<void> {
    const { catalog, ledger, queues, log } = this.#parts;
    const hosted = catalog.get(name);
    const halt = this.#halts.get(name);
    if (hosted?.phase !== 'stopping' || halt === undefined || this.#isClosed) return;
    if (this.#hasLeft(name)) {
      this.#lookLater(name);
      return;
    }
    halt.resting ??= this.#resting(name);
    const { resting } = halt;
    if (queues.find(name) !== undefined) await queues.close(name);
    const definition = { ...hosted.definition, state: 'stopped', resting } as const;
    const closed: Hosted = { ...hosted, isOpened: false, fault: undefined };
    const stopped: Hosted = { ...closed, phase: 'stopped', definition };
    catalog.put(closed);
    await ledger.save(stopped);
    this.forget(name);
    catalog.put(stopped);
    log.info({ service: name }, 'service stopped');
    this.#tell(name, 'stopped', 'Service stopped: nothing of it runs, its queues are closed');
  }

  #resting(name: string): Readonly<Record<string, RestingQueue>> {
    const open = this.#parts.queues.find(name);
    if (open === undefined) return {};
    return Object.fromEntries(
      queueNames.map((queue) => {
        const { length, firstIndex, lastIndex } = open.view(queue);
        return [queue, { length, firstIndex, lastIndex }];
      }),
    );
  }

  #tell(service: string, what: string, text: string): void {
    this.#parts.record({ service, kind: 'service', what, text });
  }
}
