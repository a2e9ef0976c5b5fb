// Load from outside the server while faults happen: clients of both protocols that put, work, fetch
// and watch, repeat what a fault leaves open, and write into the ledger what they were told.

import { type Client, connect, type Delivery, PlatformError } from '@sluice/sdk';
import { EasCaller, type Frame } from './eas-caller.ts';
import { type Ledger, resultOf } from './ledger.ts';
import { comesTrue, insist, pause, repeat } from './pause.ts';

export type Protocol = 'stream' | 'eas';

export interface TrafficOptions {
  readonly url: string;
  readonly service: string;
  readonly ledger: Ledger;
  /** Beginning of all its request ids. */
  readonly name?: string;
  /** How many put over HTTP and over the stream protocol at the same time. */
  readonly lanes: { readonly eas: number; readonly stream: number };
  /** Workers of the harness; none where Sluice has instances of its own. */
  readonly workers: readonly Protocol[];
  /** Consumers that watch the sink and commit, each protocol in a group of its own. */
  readonly watchers: readonly Protocol[];
  /** How long such a consumer keeps a result. */
  readonly watcherHoldsMs?: number;
  /** Consumers of the input in a group of their own, which get copies and commit them. */
  readonly copies?: readonly Protocol[];
  /** Whether results are also fetched from the sink and deleted. */
  readonly fetches?: boolean;
  /** Nothing is put while so many accepted requests are open. */
  readonly openMax?: number;
  /** How long a call may take before it is given up and made again. */
  readonly timeoutMs?: number;
}

const openMaxDefault = 300;
const timeoutMsDefault = 10_000;
const pageLength = 200;
const laneRestMs = 2;
const restMs = 60_000;

/** Connects, which needs the server, and begins. */
export async function openTraffic(options: TrafficOptions): Promise<Traffic> {
  const traffic = new Traffic(options);
  await traffic.start();
  return traffic;
}

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #eas: EasCaller;
  readonly #puts = new AbortController();
  readonly #work = new AbortController();
  readonly #putting: Promise<void>[] = [];
  readonly #working: Promise<void>[] = [];
  readonly #clients: Client[] = [];

  constructor(options: TrafficOptions) {
    const { url, service, timeoutMs = timeoutMsDefault } = options;
    this.#options = options;
    this.#eas = new EasCaller({ url, service, timeoutMs });
  }

  async start(): Promise<void> {
    const { lanes, workers, watchers, copies, service, fetches = true } = this.#options;
    const { name = 'r' } = this.#options;
    for (const [at, protocol] of workers.entries()) {
      const client = await this.#connect(protocol, `${name}-worker-${at}`, service);
      this.#working.push(this.#workOn(client));
    }
    for (const [at, protocol] of watchers.entries()) {
      const gid = `${name}-watchers-${protocol}`;
      const client = await this.#connect(protocol, `${name}-watcher-${at}`, gid);
      this.#working.push(this.#watchSink(client));
    }
    for (const [at, protocol] of (copies ?? []).entries()) {
      const client = await this.#connect(protocol, `${name}-copy-${at}`, `${name}-copies`);
      this.#working.push(this.#copyFrom(client));
    }
    if (fetches) this.#working.push(this.#fetchSink());
    for (let at = 0; at < lanes.eas; at += 1) {
      this.#putting.push(this.#lane(`${name}-e${at}`, (id) => this.#eas.put(id, id)));
    }
    if (lanes.stream === 0) return;
    const submitter = await this.#connect('stream', `${name}-submitter`, 'eas');
    for (let at = 0; at < lanes.stream; at += 1) {
      this.#putting.push(
        this.#lane(`${name}-s${at}`, async (id) => (await submitter.input.put(id, { id })).index),
      );
    }
  }

  /** Puts no more; resolves when every put that was begun has its answer. */
  async stopPutting(): Promise<void> {
    this.#puts.abort();
    await Promise.all(this.#putting);
  }

  /** Puts no more and waits until nothing is left; false when that takes too long. */
  async rest(deadlineMs: number = restMs): Promise<boolean> {
    let areAnswered = false;
    const stopped = this.stopPutting().then(() => {
      areAnswered = true;
    });
    stopped.catch(() => undefined);
    return comesTrue(async () => {
      if (!areAnswered) return false;
      const lengths = [await this.#eas.length('input'), await this.#eas.length('sink')];
      return lengths.every((length) => length === 0);
    }, deadlineMs);
  }

  /** Ends everything, whatever is still open. */
  async close(): Promise<void> {
    this.#puts.abort();
    this.#work.abort();
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
    await Promise.all([...this.#putting, ...this.#working]);
  }

  async #connect(protocol: Protocol, uid: string, gid: string): Promise<Client> {
    const { url, service, timeoutMs = timeoutMsDefault } = this.#options;
    const client = await connect(url, { service, protocol, uid, gid, timeoutMs });
    this.#clients.push(client);
    return client;
  }

  async #lane(name: string, put: (id: string) => Promise<number>): Promise<void> {
    const { ledger, service, openMax = openMaxDefault } = this.#options;
    const { signal } = this.#puts;
    for (let nth = 1; !signal.aborted; nth += 1) {
      while (ledger.openCount > openMax && !signal.aborted) await pause(laneRestMs);
      const id = `${name}-${nth}`;
      ledger.asked(id);
      // What was begun is seen through to its answer, also when no more is to be put.
      const index = await insist(() => put(id), this.#work.signal);
      if (index !== undefined) ledger.accepted(id, index, service);
      await pause(laneRestMs);
    }
  }

  /** Completes whatever it is given; what was taken from it meanwhile is somebody else's. */
  async #workOn(client: Client): Promise<void> {
    const { signal } = this.#work;
    await forEachDelivery(client, 'input', signal, (delivery) => {
      const id = new TextDecoder().decode(delivery.payload);
      void settle(() => delivery.complete(resultOf(id)), signal);
    });
  }

  async #watchSink(client: Client): Promise<void> {
    const { ledger, watcherHoldsMs = 0 } = this.#options;
    const { signal } = this.#work;
    await forEachDelivery(client, 'sink', signal, (delivery) => {
      const text = new TextDecoder().decode(delivery.payload);
      ledger.seen(delivery.id, delivery.index, text, delivery.tags.get('lastCode'));
      const held = watcherHoldsMs === 0 ? Promise.resolve() : pause(watcherHoldsMs);
      void held.then(() => settle(() => delivery.commit(), signal));
    });
  }

  async #copyFrom(client: Client): Promise<void> {
    const { signal } = this.#work;
    await forEachDelivery(client, 'input', signal, (delivery) => {
      void settle(() => delivery.commit(), signal);
    });
  }

  async #fetchSink(): Promise<void> {
    const { ledger } = this.#options;
    await repeat(async () => {
      const frames = await this.#eas.list('sink', { length: pageLength, waitMs: 100 });
      for (const frame of frames) sawFrame(ledger, frame);
      const indexes = frames.map(({ index }) => index);
      if (indexes.length > 0) await this.#eas.remove('sink', indexes);
    }, this.#work.signal);
  }
}

/** Writes down what was fetched from the sink. */
export function sawFrame(ledger: Ledger, { id, index, text, tags }: Frame): void {
  ledger.seen(id, index, text, tags.lastCode);
}

/** Watches over all interruptions, until the signal; a refused watch is opened again. */
export async function forEachDelivery(
  client: Client,
  queue: 'input' | 'sink',
  signal: AbortSignal,
  act: (delivery: Delivery) => void,
): Promise<void> {
  await repeat(async () => {
    for await (const delivery of client[queue].watch({ window: 16, signal })) act(delivery);
  }, signal);
}

/** Settles a delivery as a good worker does: again and again until it is done, or until the server
 * says that it belongs to somebody else by now. */
export async function settle(act: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  await insist(
    () =>
      act().catch((error: unknown) => {
        if (!(error instanceof PlatformError) || error.retry) throw error;
      }),
    signal,
  );
}
