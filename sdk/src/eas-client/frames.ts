// Where the frames of an EAS watch come from: a WebSocket where it can send the identity headers
// (Node), an HTTP stream through fetch elsewhere (browsers).

import { decodeFrame, type Frame } from '../data-frame.ts';
import { errorOfFetch } from '../deadline.ts';
import { PlatformError } from '../errors.ts';
import type { ClientPlatform } from '../platform.ts';
import { errorOfAnswer } from './http.ts';

export interface FrameSource {
  pause(): void;
  resume(): void;
  close(): void;
}

export interface FrameEvents {
  frame(frame: Frame): void;
  /** Called once after the source was open. */
  closed(code: number, reason: string): void;
}

export interface FrameRequest {
  /** `http:` or `https:`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly platform: ClientPlatform;
  readonly signal: AbortSignal;
}

const recordBytesMax = 33 * 2 ** 20;

/** Resolves when the server has accepted the watch; rejects with its refusal. */
export function openFrames(request: FrameRequest, events: FrameEvents): Promise<FrameSource> {
  return request.platform.socketHeaders
    ? openSocketFrames(request, events)
    : openHttpFrames(request, events);
}

async function openSocketFrames(request: FrameRequest, events: FrameEvents): Promise<FrameSource> {
  const { url, headers, platform, signal } = request;
  let broken = false;
  const socketEvents = {
    message(bytes: Uint8Array) {
      if (broken) return;
      try {
        events.frame(decodeFrame(bytes));
      } catch {
        broken = true;
        socket.terminate();
      }
    },
    closed: (code: number, reason: string) => events.closed(code, reason),
  };
  const address = url.replace(/^http/, 'ws');
  const socket = await platform.openSocket(address, headers, socketEvents, signal);
  return {
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.close(1000, 'closed by the client'),
  };
}

async function openHttpFrames(request: FrameRequest, events: FrameEvents): Promise<FrameSource> {
  const { url, headers, platform, signal } = request;
  const controller = new AbortController();
  signal.addEventListener('abort', () => controller.abort(), { once: true });
  let response: Response;
  try {
    response = await platform.fetch(url, { headers, signal: controller.signal, redirect: 'error' });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw errorOfFetch(error, 'GET');
  }
  if (!response.ok) throw errorOfAnswer(response, await response.text());
  if (response.body === null) throw new PlatformError('internal', 'The watch has no body.');
  const gate = new Gate();
  const reader = response.body.getReader();
  // It reports its own end.
  void readRecords(reader, gate, events);
  return {
    pause: () => gate.shut(),
    resume: () => gate.open(),
    close: () => {
      gate.open();
      controller.abort();
    },
  };
}

/** Each record is four bytes of length, highest first, and a frame; length 0 ends the watch. */
async function readRecords(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  gate: Gate,
  events: FrameEvents,
): Promise<void> {
  const records = new Records();
  try {
    for (;;) {
      await gate.passed;
      const { done, value } = await reader.read();
      if (done) break;
      records.push(value);
      for (let record = records.next(); record !== undefined; record = records.next()) {
        if (record.length === 0) return events.closed(1000, 'ended');
        events.frame(decodeFrame(record));
      }
    }
    events.closed(1006, 'the stream has ended');
  } catch (error) {
    events.closed(1006, error instanceof Error ? error.message : 'the stream was cut');
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Cuts a stream of bytes into its records. Bytes are joined only when a record is whole. */
class Records {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** How many bytes there must be before it is worth a look. */
  #needed = 4;

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }

  next(): Uint8Array | undefined {
    if (this.#bytes < this.#needed) return undefined;
    const bytes = this.#joined();
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (length > recordBytesMax) throw new PlatformError('internal', 'A record is too long.');
    this.#needed = 4 + length;
    if (this.#bytes < this.#needed) return undefined;
    this.#chunks = [bytes.subarray(this.#needed)];
    this.#bytes -= this.#needed;
    this.#needed = 4;
    return bytes.subarray(4, 4 + length);
  }

  #joined(): Uint8Array {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [joined];
    return joined;
  }
}

/** Lets through, or makes wait. */
class Gate {
  passed: Promise<void> = Promise.resolve();
  #open: (() => void) | undefined;

  shut(): void {
    if (this.#open !== undefined) return;
    this.passed = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open?.();
    this.#open = undefined;
  }
}
