// One connection of the stream protocol from the client's side, from its hello to its loss. Parts,
// credit and silence are settled here; everything else is handed on.

import { type ErrorCode, errorKinds, PlatformError } from '../errors.ts';
import type { ClientPlatform, ClientSocket, ClientTimer } from '../platform.ts';
import { Assembler } from '../stream/assembler.ts';
import { clientCodec, serverCodec } from '../stream/codec.ts';
import { helloTimeoutMs, streamVersion } from '../stream/limits.ts';
import type {
  ClientOperation,
  Deliver,
  Failed,
  Fetched,
  ServerOperation,
  Welcome,
} from '../stream/operations.ts';
import { Outbox } from '../stream/outbox.ts';

export interface WireOptions {
  /** `ws:` or `wss:`, with the path. */
  readonly url: string;
  readonly token: string;
  readonly uid: string;
  readonly gid: string;
  /** The session of the connection before, or empty. */
  readonly resume: string;
  readonly agent: string;
  readonly platform: ClientPlatform;
}

export interface WireEvents {
  /** Every operation but those of transfers; `payload` is that of a delivery or a message. */
  operation(operation: ServerOperation, payload: Uint8Array): void;
  /** Called once after the welcome: the connection is gone. */
  lost(error: PlatformError): void;
}

type Sized = Deliver | Fetched;

/** How many bytes of parts the server may send ahead. */
const creditBytes = 4 * 2 ** 20;

/** After how much silence the server is asked whether it is there, and after how much it is not. */
const silence = { checkMs: 5000, askMs: 15_000, lostMs: 30_000 } as const;

/** How long the opening of a connection may take. */
const connectMs = 10_000;

/** How long a goodbye may take. */
const leaveMs = 5000;

const noBytes = new Uint8Array(0);

export class StreamWire {
  readonly #options: WireOptions;
  readonly #events: WireEvents;
  readonly #outbox: Outbox<ClientOperation>;
  readonly #assembler: Assembler<Sized>;
  #socket: ClientSocket | undefined;
  #greeted: ((welcome: Welcome) => void) | undefined;
  #refused: ((error: PlatformError) => void) | undefined;
  #trouble: PlatformError | undefined;
  #left: (() => void) | undefined;
  #timer: ClientTimer | undefined;
  #heardAt = 0;
  #asked = false;
  #over = false;

  constructor(options: WireOptions, events: WireEvents) {
    this.#options = options;
    this.#events = events;
    const { clock } = options.platform;
    this.#outbox = new Outbox<ClientOperation>({
      write: clientCodec.write,
      send: (bytes) => this.#socket?.send(bytes),
      defer: (run) => clock.defer(run),
    });
    this.#assembler = new Assembler<Sized>(creditBytes, (bytes) =>
      this.#outbox.urgent({ kind: 'credit', bytes }),
    );
  }

  /** Opens the connection and says hello. Rejects when either is refused. */
  async open(signal: AbortSignal): Promise<Welcome> {
    const { url, token, uid, gid, resume, agent, platform } = this.#options;
    const events = {
      message: (bytes: Uint8Array) => this.#received(bytes),
      closed: (code: number, reason: string) => this.#closed(code, reason),
    };
    const connecting = new AbortController();
    const stop = (): void => connecting.abort(new PlatformError('unavailable', 'Closed.'));
    signal.addEventListener('abort', stop, { once: true });
    const timer = platform.clock.after(connectMs, () =>
      connecting.abort(new PlatformError('timeout', `No connection to ${url} in time.`)),
    );
    try {
      this.#socket = await platform.openSocket(url, {}, events, connecting.signal);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', stop);
    }
    const welcome = new Promise<Welcome>((resolve, reject) => {
      this.#greeted = resolve;
      this.#refused = reject;
    });
    const abort = (): void => this.#fail(new PlatformError('unavailable', 'The client is closed.'));
    signal.addEventListener('abort', abort, { once: true });
    this.#timer = platform.clock.after(helloTimeoutMs * 2, () =>
      this.#fail(new PlatformError('timeout', 'The server did not answer the hello.')),
    );
    this.#outbox.urgent({
      kind: 'hello',
      version: streamVersion,
      token,
      uid,
      gid,
      resume,
      credit: creditBytes,
      agent,
    });
    this.#outbox.flush();
    try {
      return await welcome;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Sends before everything that waits for a transfer. */
  say(operation: ClientOperation): void {
    this.#outbox.urgent(operation);
  }

  /** Sends behind everything said in order before; a large payload in parts. */
  sayInOrder(operation: ClientOperation, payload: Uint8Array): void {
    this.#outbox.inOrder(operation, payload);
  }

  /** Takes back what has not left whole; false when it has. */
  withdraw(operation: ClientOperation): boolean {
    return this.#outbox.withdraw(operation);
  }

  /** Says goodbye; resolves when the server has closed, or after a while. */
  async leave(): Promise<void> {
    if (this.#over) return;
    this.#timer?.cancel();
    this.#outbox.urgent({ kind: 'leave' });
    this.#outbox.flush();
    await new Promise<void>((resolve) => {
      this.#left = resolve;
      this.#timer = this.#options.platform.clock.after(leaveMs, resolve);
    });
    this.#end();
    this.#socket?.terminate();
  }

  #received(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#heardAt = this.#options.platform.clock.now().mono;
    this.#asked = false;
    try {
      for (const operation of serverCodec.read(bytes)) {
        this.#handle(operation);
        if (this.#over) return;
      }
    } catch (cause) {
      this.#fail(new PlatformError('internal', 'The server breaks the protocol.', { cause }));
    }
  }

  #handle(operation: ServerOperation): void {
    switch (operation.kind) {
      case 'deliver':
      case 'message':
        if (operation.transfer === 0) this.#events.operation(operation, operation.payload);
        else this.#assembler.begin(operation);
        break;
      case 'part': {
        const whole = this.#assembler.part(operation);
        if (whole !== undefined) this.#events.operation(whole.operation, whole.payload);
        break;
      }
      case 'abandon':
        this.#assembler.abandon(operation);
        break;
      case 'credit':
        this.#outbox.granted(operation.bytes);
        break;
      case 'welcome':
        this.#welcomed(operation);
        break;
      case 'error':
        // Number 0 says why the connection is about to be closed.
        if (operation.number === 0) this.#trouble = errorOf(operation);
        else this.#events.operation(operation, noBytes);
        break;
      default:
        this.#events.operation(operation, noBytes);
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#timer?.cancel();
    this.#outbox.granted(welcome.credit);
    this.#watchSilence();
    this.#greeted?.(welcome);
    this.#greeted = undefined;
    this.#refused = undefined;
  }

  /** A connection can be dead without either end hearing of it. */
  #watchSilence(): void {
    const { clock } = this.#options.platform;
    this.#timer = clock.after(silence.checkMs, () => {
      const silentMs = clock.now().mono - this.#heardAt;
      if (silentMs >= silence.lostMs) {
        this.#fail(new PlatformError('timeout', 'The server has fallen silent.'));
        return;
      }
      if (silentMs >= silence.askMs && !this.#asked) {
        this.#asked = true;
        this.#outbox.urgent({ kind: 'ping', number: 0 });
      }
      this.#watchSilence();
    });
  }

  #closed(code: number, reason: string): void {
    this.#left?.();
    const text = `The connection was closed (${code}${reason === '' ? '' : `, ${reason}`}).`;
    this.#fail(this.#trouble ?? new PlatformError('unavailable', text));
  }

  #fail(error: PlatformError): void {
    if (this.#over) return;
    this.#end();
    this.#socket?.terminate();
    if (this.#left !== undefined) return;
    if (this.#refused === undefined) this.#events.lost(error);
    else this.#refused(error);
  }

  #end(): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#outbox.close();
  }
}

/** The error an answer stands for. */
export function errorOf(answer: Failed): PlatformError {
  const code: ErrorCode = isCode(answer.code) ? answer.code : 'internal';
  const { retryAfterMs } = answer;
  return new PlatformError(code, answer.text, retryAfterMs === 0 ? {} : { retryAfterMs });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorKinds, code);
}
