// A client of the stream protocol that says exactly what a test wants, over a real WebSocket.

import {
  ByteWriter,
  type ClientOperation,
  clientCodec,
  type ServerOperation,
  serverCodec,
} from '@sluice/sdk/wire';
import { WebSocket } from 'ws';
import { tokenOf } from './world.ts';

type Of<Kind extends ClientOperation['kind']> = Extract<ClientOperation, { readonly kind: Kind }>;

export class Speaker {
  readonly heard: ServerOperation[] = [];
  readonly webSocket: WebSocket;
  /** The close code, once it is closed. */
  code: number | undefined;
  reason = '';
  #waiting: (() => void)[] = [];

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('message', (data: Buffer) => {
      this.heard.push(...serverCodec.read(data));
      this.#wake();
    });
    webSocket.on('error', () => undefined);
    webSocket.on('close', (code, reason) => {
      this.code = code;
      this.reason = reason.toString();
      this.#wake();
    });
  }

  static async connect(port: number): Promise<Speaker> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, {
      perMessageDeflate: false,
    });
    const speaker = new Speaker(webSocket);
    await new Promise<void>((resolve, reject) => {
      webSocket.once('open', () => resolve());
      webSocket.once('error', reject);
    });
    return speaker;
  }

  /** Connected, greeted, with the queues `input` (channel 1) and `sink` (2) of a service open. */
  static async open(port: number, service = 'one', over: Partial<Of<'hello'>> = {}) {
    const speaker = await Speaker.connect(port);
    const gid = service;
    speaker.hello({ token: tokenOf(service), gid, ...over });
    for (const [number, queue] of [
      [1, 'input'],
      [2, 'sink'],
    ] as const) {
      speaker.say({ kind: 'open', number, service, queue, gid: '', uid: '' });
    }
    await speaker.answer(2);
    return speaker;
  }

  say(...operations: ClientOperation[]): void {
    const writer = new ByteWriter(64);
    for (const operation of operations) clientCodec.write(writer, operation);
    this.bytes(writer.finish());
  }

  bytes(bytes: Uint8Array): void {
    if (this.webSocket.readyState === this.webSocket.OPEN) this.webSocket.send(bytes);
  }

  hello(over: Partial<Of<'hello'>> = {}): void {
    const who = { token: tokenOf('one'), uid: 'u', gid: 'one', resume: '', agent: 'hand' };
    this.say({ kind: 'hello', version: 1, ...who, credit: 2 ** 20, ...over });
  }

  /** The answer to a call; rejects when the connection ends before. */
  answer(number: number): Promise<ServerOperation> {
    return this.find((said) => 'number' in said && said.number === number);
  }

  async find(isIt: (said: ServerOperation) => boolean): Promise<ServerOperation> {
    for (;;) {
      const found = this.heard.find(isIt);
      if (found !== undefined) return found;
      if (this.code !== undefined) throw new Error(`closed with ${this.code}: ${this.reason}`);
      await this.#event();
    }
  }

  async closed(): Promise<number> {
    while (this.code === undefined) await this.#event();
    return this.code;
  }

  close(): void {
    this.webSocket.terminate();
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }
}

/** A put with a payload of one byte on channel 1. */
export function putOf(number: number, over: Partial<Of<'put'>> = {}): Of<'put'> {
  const payload = over.payload ?? new Uint8Array([1]);
  return {
    ...{ kind: 'put', number, channel: 1, id: '', tags: new Map(), priority: 0 },
    ...{ path: undefined, contentType: undefined, payload, transfer: 0, size: payload.length },
    ...over,
  };
}

/** A watch of channel 1. */
export function watchOf(number: number, over: Partial<Of<'watch'>> = {}): Of<'watch'> {
  return {
    ...{ kind: 'watch', number, channel: 1, window: 1, from: 0, indexOnly: false },
    ...{ autoCommit: false, worker: false, tags: new Map(), id: '', holding: [] },
    revision: 0,
    ...over,
  };
}

/** A get of channel 1. */
export function getOf(number: number, over: Partial<Of<'get'>> = {}): Of<'get'> {
  return {
    ...{ kind: 'get', number, channel: 1, from: 0, length: 1, timeoutMs: 0, autoDelete: false },
    ...{ tags: new Map(), id: '' },
    ...over,
  };
}
