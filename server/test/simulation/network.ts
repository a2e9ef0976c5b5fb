// The network between clients and the process that serves: pairs of byte streams with delays. A
// connection may be cut, stand still for a while, or be half open: it takes bytes that never
// arrive, and neither end hears of it.

import { Duplex } from 'node:stream';
import type { SeededRandom } from './seeded-random.ts';
import type { Stage } from './stage.ts';

/** How long a half-open connection lasts until an end gives it up. */
const halfOpenMs = 6_000;

export class Network {
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  readonly #open = new Set<Wire>();
  /** Takes the server's end of a new connection; undefined: nobody listens. */
  listener: ((socket: Duplex) => void) | undefined;

  constructor(stage: Stage, random: SeededRandom) {
    this.#stage = stage;
    this.#random = random;
  }

  /** The client's end of a new connection; undefined: refused. */
  connect(who: string): Duplex | undefined {
    if (this.listener === undefined) return undefined;
    const wire: Wire = new Wire(this.#stage, this.#random.fork(), who, () =>
      this.#open.delete(wire),
    );
    this.#open.add(wire);
    this.listener(wire.server);
    return wire.client;
  }

  /** The process that served is gone: its ends are closed, which its clients hear of. */
  crashed(): void {
    this.listener = undefined;
    for (const wire of [...this.#open]) wire.serverGone();
  }

  /** No more faults: what is broken is closed on both sides. */
  heal(): void {
    for (const wire of [...this.#open]) wire.heal();
  }

  closeAll(): void {
    for (const wire of [...this.#open]) wire.cut();
  }
}

type State = 'whole' | 'still' | 'halfOpen' | 'over';

/** One connection. */
class Wire {
  readonly client: End;
  readonly server: End;
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  readonly #who: string;
  readonly #over: () => void;
  /** Nothing of one end arrives before what was sent before it. */
  readonly #clearAt = { client: 0, server: 0 };
  readonly #onTheWay: Record<'client' | 'server', (Uint8Array | null)[]> = {
    client: [],
    server: [],
  };
  #state: State = 'whole';

  constructor(stage: Stage, random: SeededRandom, who: string, over: () => void) {
    this.#stage = stage;
    this.#random = random;
    this.#who = who;
    this.#over = over;
    this.client = new End(
      (bytes, taken) => this.#carry('client', bytes, taken),
      (how) => this.#ended('client', how),
    );
    this.server = new End(
      (bytes, taken) => this.#carry('server', bytes, taken),
      (how) => this.#ended('server', how),
    );
    if (!stage.isCalm && random.chance(0.4)) this.#fate();
  }

  cut(): void {
    this.#state = 'over';
    this.client.destroy();
    this.server.destroy();
    this.#over();
  }

  heal(): void {
    if (this.#state === 'whole') return;
    if (this.#state === 'halfOpen') this.cut();
    else this.#state = 'whole';
  }

  serverGone(): void {
    if (this.#state === 'halfOpen') return;
    this.#state = 'over';
    this.server.destroy();
    this.#later(() => this.client.break());
    this.#over();
  }

  /** Something happens to it some time. */
  #fate(): void {
    const { clock } = this.#stage;
    clock.after(this.#random.fraction() * 500, () => {
      if (this.#state !== 'whole' || this.#stage.isCalm) return;
      const drawn = this.#random.fraction();
      if (drawn < 0.4) {
        this.#stage.note(`a connection of ${this.#who} is cut`);
        this.cutOff();
      } else if (drawn < 0.7) {
        this.#stage.note(`a connection of ${this.#who} is half open`);
        this.#state = 'halfOpen';
        clock.after(halfOpenMs, () => this.cutOff());
      } else {
        this.#stage.note(`a connection of ${this.#who} stands still`);
        this.#state = 'still';
        clock.after(this.#random.fraction() * 2_000, () => {
          if (this.#state === 'still') this.#state = 'whole';
        });
      }
    });
  }

  /** Each end learns of it on its own. */
  cutOff(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#later(() => this.client.break());
    this.#later(() => this.server.break());
    this.#over();
  }

  #carry(from: 'client' | 'server', bytes: Uint8Array | undefined, taken: () => void): void {
    const { clock } = this.#stage;
    const to = from === 'client' ? this.server : this.client;
    clock.defer(taken);
    if (this.#state === 'halfOpen' || this.#state === 'over') return;
    const { mono } = clock.now();
    const at = Math.max(this.#clearAt[from], mono + this.#delayMs());
    this.#clearAt[from] = at;
    this.#onTheWay[from].push(bytes ?? null);
    const arrive = (): void => {
      if (this.#state === 'halfOpen' || this.#state === 'over') return;
      // What comes at the same moment comes in any order: each arrival brings what is next.
      if (this.#state === 'still') clock.after(20, arrive);
      else to.push(this.#onTheWay[from].shift() ?? null);
    };
    clock.after(at - mono, arrive);
  }

  #ended(from: 'client' | 'server', how: 'end' | 'destroy'): void {
    if (how === 'end') {
      this.#carry(from, undefined, () => undefined);
      return;
    }
    if (this.#state === 'over' || this.#state === 'halfOpen') return;
    const to = from === 'client' ? this.server : this.client;
    this.#state = 'over';
    this.#later(() => to.break());
    this.#over();
  }

  #later(run: () => void): void {
    this.#stage.clock.after(this.#delayMs(), run);
  }

  /** A few packets take long. */
  #delayMs(): number {
    const isLate = !this.#stage.isCalm && this.#random.chance(0.03);
    return this.#random.fraction() * (isLate ? 300 : 4);
  }
}

/** One end as Node's http and ws see it. */
class End extends Duplex {
  readonly #send: (bytes: Uint8Array, taken: () => void) => void;
  readonly #ended: (how: 'end' | 'destroy') => void;

  constructor(
    send: (bytes: Uint8Array, taken: () => void) => void,
    ended: (how: 'end' | 'destroy') => void,
  ) {
    super({ emitClose: true, autoDestroy: true });
    this.#send = send;
    this.#ended = ended;
    // Who uses it may listen for errors or not.
    this.on('error', () => undefined);
  }

  /** The other end is gone. */
  break(): void {
    if (this.destroyed) return;
    this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  }

  override _write(bytes: Uint8Array, _: BufferEncoding, taken: () => void): void {
    this.#send(bytes, taken);
  }

  override _final(taken: () => void): void {
    this.#ended('end');
    taken();
  }

  override _read(): void {
    // Bytes are pushed as they arrive.
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ended('destroy');
    done(error);
  }
}
