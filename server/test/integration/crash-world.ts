// A real server that is killed and started again on the same folder and port, and the ledger that
// an outsider keeps meanwhile.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

export const serviceName = 'crash';

export interface CrashWorld {
  readonly url: string;
  readonly commands: CommandWorld;
  readonly data: string;
  start(): Promise<void>;
  /** SIGKILL, at whatever the server is doing. */
  kill(): Promise<void>;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
  /** Of the server that was started last. */
  pid(): number;
  close(): Promise<void>;
}

/** `definition` is a service.json; the service is open, so that clients need no token. */
export async function openCrashWorld(definition: object): Promise<CrashWorld> {
  const commands = openCommandWorld();
  const data = join(commands.home, 'data');
  const file = join(commands.home, 'service.json');
  writeFileSync(file, JSON.stringify({ token: '', ...definition }));
  const listen = `127.0.0.1:${await freePort()}`;
  let server: RunningCommand | undefined;
  return {
    url: `http://${listen}`,
    commands,
    data,
    async start() {
      server = commands.start(['serve', '--listen', listen, '--data', data, '--service', file]);
      await server.says(/Ready/);
    },
    async kill() {
      server?.child.kill('SIGKILL');
      await server?.ended;
    },
    async stop() {
      server?.child.kill('SIGTERM');
      await server?.ended;
    },
    pid: () => server?.child.pid ?? 0,
    close: () => commands.close(),
  };
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

/** What outsiders know: which puts were answered, and which results were seen where. */
export class Ledger {
  readonly #accepted = new Map<string, number>();
  /** By request id: every sink index under which a result of it was seen, and its text. */
  readonly #results = new Map<string, Map<number, string>>();
  readonly #asked = new Set<string>();
  #waiters: { readonly count: number; readonly wake: () => void }[] = [];

  get acceptedCount(): number {
    return this.#accepted.size;
  }

  /** The ids of all answered puts, in the order of the answers. */
  acceptedIds(): readonly string[] {
    return [...this.#accepted.keys()];
  }

  /** The index that the put of an accepted id was answered with. */
  indexOf(id: string): number {
    return this.#accepted.get(id) ?? 0;
  }

  asked(id: string): void {
    this.#asked.add(id);
  }

  accepted(id: string, index: number): void {
    this.#accepted.set(id, index);
    for (const { count, wake } of this.#waiters) if (this.#accepted.size >= count) wake();
    this.#waiters = this.#waiters.filter(({ count }) => this.#accepted.size < count);
  }

  result(id: string, index: number, text: string): void {
    const seen = this.#results.get(id) ?? new Map<number, string>();
    this.#results.set(id, seen);
    seen.set(index, text);
  }

  /** Resolves when so many puts have been accepted. */
  until(count: number): Promise<void> {
    return new Promise((wake) => {
      if (this.#accepted.size >= count) wake();
      else this.#waiters.push({ count, wake });
    });
  }

  /** Resolves to what must be all zeros. */
  balance(resultOf: (id: string) => string): Record<string, number> {
    const accepted = [...this.#accepted];
    const results = [...this.#results];
    const isWrong = ([id, seen]: [string, Map<number, string>]): boolean =>
      [...seen.values()].some((text) => text !== resultOf(id));
    return {
      lost: accepted.filter(([id]) => !this.#results.has(id)).length,
      duplicated: results.filter(([, seen]) => seen.size > 1).length,
      wrong: results.filter(isWrong).length,
      foreign: results.filter(([id]) => !this.#asked.has(id)).length,
      sharedIndexes: accepted.length - new Set(accepted.map(([, index]) => index)).size,
    };
  }
}

/** Puts until it is told to stop, repeating each put with the same id until it is answered, as the
 * official clients do. */
export async function putOverHttp(
  url: string,
  ledger: Ledger,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  for (let nth = 1; !signal.aborted; nth += 1) {
    const id = `${name}-${nth}`;
    ledger.asked(id);
    await insist(async () => {
      const address = `${url}/api/predict/${serviceName}?requestId=${id}`;
      const response = await fetch(address, { method: 'POST', body: `body of ${id}` });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
      ledger.accepted(id, Number(text));
    });
  }
}

/** Repeats what fails because the server is gone; the connection itself says when to try again. */
async function insist(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch {
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
  }
}

interface SeenResult {
  readonly index: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly data: string;
}

/** Reads results and deletes what it has written down, until both queues are empty after `end`. */
export async function readResults(
  url: string,
  ledger: Ledger,
  end: { readonly isNear: () => boolean },
): Promise<void> {
  const sink = `${url}/api/predict/${serviceName}/sink`;
  for (;;) {
    let isEmpty = false;
    await insist(async () => {
      const query = '_index_=0&_length_=500&_timeout_=100ms&_auto_delete_=false&_raw_=false';
      const response = await fetch(`${sink}?${query}`, { headers: { Accept: 'application/json' } });
      if (response.status !== 200 && response.status !== 204) throw new Error('not served');
      const body = await response.text();
      // The shape is the protocol's JSON list of frames.
      const seen = body === '' ? [] : (JSON.parse(body) as SeenResult[]);
      for (const { index, tags, data } of seen) {
        ledger.result(tags.requestId ?? '', index, Buffer.from(data ?? '', 'base64').toString());
      }
      if (seen.length > 0) {
        const indexes = seen.map(({ index }) => index).join(',');
        await fetch(`${sink}?_indexes_=${indexes}`, { method: 'DELETE' });
      }
      isEmpty = seen.length === 0 && end.isNear() && (await inputLength(url)) === 0;
    });
    if (isEmpty && (await sinkLength(url)) === 0) return;
  }
}

export function inputLength(url: string): Promise<number> {
  return lengthAt(`${url}/api/predict/${serviceName}`);
}

function sinkLength(url: string): Promise<number> {
  return lengthAt(`${url}/api/predict/${serviceName}/sink`);
}

async function lengthAt(address: string): Promise<number> {
  const response = await fetch(`${address}?_attrs_=true`);
  if (response.status !== 200) throw new Error(`attributes: ${response.status}`);
  const attributes = Object(await response.json());
  return Number(attributes['stream.length']);
}
