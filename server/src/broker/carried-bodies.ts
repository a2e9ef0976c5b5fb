// Bodies that lie in files, for readers that know only messages: brought into the message as it is
// handed out, up to a bound, so that none of them takes it for an empty one. What is larger keeps
// its place, for whoever can fetch it there.

import type { Log } from '../kernel/log.ts';
import type { StoredMessage } from '../queue/message.ts';
import { type BodyPlace, readTerms } from '../queue/terms.ts';
import type { WatchRequest } from './queues.ts';

/** What is needed of the store of bodies. */
export interface FileBodies {
  /** The whole of it, of at most `bytesMax` bytes; rejects when it is gone or damaged. */
  read(name: string, bytesMax: number): Promise<Uint8Array>;
  /** A reader is told where the body lies: it stays for a while, whatever its message becomes. */
  promise(name: string): void;
}

/** Largest body that is brought into its message. */
export const carriedBytesMax: number = 8 * 2 ** 20;
/** Bytes of bodies that are read into memory at the same time, for all readers of a service. */
const readingBytesMax = 4 * carriedBytesMax;

/** How a reader gets bodies in files. */
export interface Carriage {
  /** Largest one brought into the message. */
  readonly bytesMax: number;
  /** It may fetch what is larger whenever it likes, and not only while it holds the message. */
  readonly promised: boolean;
}

/** For everybody who knows nothing of bodies in files. */
export const usualCarriage: Carriage = { bytesMax: carriedBytesMax, promised: true };

/** For a consumer that fetches bodies as long as it holds their messages: small ones come all the
 * same. */
const fetchersCarriage: Carriage = { bytesMax: 256 * 1024, promised: false };

/** How a consumer gets them; undefined: it reads the files itself. */
export function carriageOf({
  kind,
  fetches = false,
}: Pick<WatchRequest, 'kind' | 'fetches'>): Carriage | undefined {
  if (kind === 'worker') return undefined;
  return fetches ? fetchersCarriage : usualCarriage;
}

/** A message on its way out, and where its body lies when that is not its payload. */
export interface Carried {
  readonly message: StoredMessage;
  readonly body: BodyPlace | undefined;
}

export class CarriedBodies {
  readonly #files: FileBodies | undefined;
  readonly #log: Log;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(files: FileBodies | undefined, log: Log) {
    this.#files = files;
    this.#log = log;
  }

  /** The message as a reader gets it: at once unless a file has to be read. Never rejects. */
  carry(message: StoredMessage, carriage: Carriage): Carried | Promise<Carried> {
    const body = placeOf(message);
    if (body === undefined || body.kind === 'address') return { message, body };
    if (body.size <= carriage.bytesMax && this.#files !== undefined) {
      return this.#read(this.#files, message, body);
    }
    if (carriage.promised) this.#files?.promise(body.name);
    return { message, body };
  }

  /** The message leaves its queue before it is handed over: its body stays until then. */
  keep(message: StoredMessage | undefined): void {
    const body = message === undefined ? undefined : placeOf(message);
    if (body?.kind === 'file') this.#files?.promise(body.name);
  }

  async #read(
    files: FileBodies,
    message: StoredMessage,
    body: Extract<BodyPlace, { kind: 'file' }>,
  ): Promise<Carried> {
    await this.#room(body.size);
    try {
      const payload = await files.read(body.name, body.size);
      return { message: { ...message, payload }, body: undefined };
    } catch (error) {
      // Whoever follows its place is told the same.
      this.#log.error({ error, index: message.meta.index, body: body.name }, 'body not read');
      return { message, body };
    } finally {
      this.#reading -= body.size;
      this.#waiting.shift()?.();
    }
  }

  /** In the order of asking. */
  async #room(bytes: number): Promise<void> {
    while (this.#reading > 0 && this.#reading + bytes > readingBytesMax) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#reading += bytes;
  }
}

/** Where the body of a message lies when it is not the payload. */
export function placeOf({ meta }: StoredMessage): BodyPlace | undefined {
  return meta.terms === undefined ? undefined : readTerms(meta.terms).body;
}
