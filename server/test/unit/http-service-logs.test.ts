// The logs of a service as one: which instances are read, when later ones are taken up, and that a
// slow reader is waited for. The logs are made by the test, the clock is virtual.

import { type LogLine, PlatformError } from '@sluice/sdk/wire';
import { beforeEach, expect, test } from 'vitest';
import type { LogRequest } from '../../src/http/api/administration.ts';
import { openInstanceLog, openServiceLogs } from '../../src/http/api/service-logs.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

/** What an instance writes, piece by piece, until it is gone. */
class WrittenLog {
  readonly #pieces: Uint8Array[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;
  /** Pieces that were taken. */
  taken = 0;
  isReading = false;

  write(text: string | Uint8Array): void {
    this.#pieces.push(typeof text === 'string' ? Buffer.from(text) : text);
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *read({ follow, signal }: LogRequest): AsyncGenerator<Uint8Array> {
    signal.addEventListener('abort', () => this.#wake?.());
    this.isReading = true;
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.taken += 1;
          yield piece;
        } else if (this.#isOver || !follow || signal.aborted) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.isReading = false;
    }
  }
}

let clock: VirtualClock;
let logs: Map<string, WrittenLog>;
/** Listed, but without a log yet. */
let pending: string[];
let opened: { instance: string; tail: number | undefined }[];
let isDeleted: boolean;
let end: AbortController;

beforeEach(() => {
  clock = new VirtualClock(new SeededRandom(1));
  logs = new Map();
  pending = [];
  opened = [];
  isDeleted = false;
  end = new AbortController();
});

function written(instance: string, ...texts: (string | Uint8Array)[]): WrittenLog {
  const log = new WrittenLog();
  for (const text of texts) log.write(text);
  logs.set(instance, log);
  return log;
}

async function open(instance: string, request: LogRequest): Promise<AsyncIterable<Uint8Array>> {
  const log = logs.get(instance);
  if (log === undefined) throw new PlatformError('not_found', `no log of ${instance}`);
  opened.push({ instance, tail: request.tail });
  return log.read(request);
}

function service(how: { follow: boolean; tail?: number; kind?: string }) {
  const { follow, tail, kind = 'process' } = how;
  const instances = (): { name: string; kind: string }[] => {
    if (isDeleted) throw new PlatformError('not_found', 'no such service');
    return [...logs.keys(), ...pending].map((name) => ({ name, kind }));
  };
  return openServiceLogs({ instances, open, clock }, { follow, tail, signal: end.signal });
}

async function all(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const found: string[] = [];
  for await (const { instance, line } of lines) found.push(`${instance} ${line}`);
  return found;
}

/** Collects in the background what is read. */
function collected(lines: AsyncIterable<LogLine>): { lines: string[]; done: Promise<void> } {
  const found: string[] = [];
  const done = (async () => {
    for await (const { instance, line } of lines) found.push(`${instance} ${line}`);
  })();
  return { lines: found, done };
}

test('without following, one log comes after the other, line by line', async () => {
  const [a, b] = Buffer.from('ä');
  written('m-1', 'one\ntw', 'o\r\n', Uint8Array.of(a ?? 0), Uint8Array.of(b ?? 0), '\nunfinished');
  written('m-2', 'three\n');
  pending.push('m-3');
  expect(await all(await service({ follow: false, tail: 7 }))).toEqual([
    'm-1 one',
    'm-1 two',
    'm-1 ä',
    'm-1 unfinished',
    'm-2 three',
  ]);
  expect(opened).toEqual([
    { instance: 'm-1', tail: 7 },
    { instance: 'm-2', tail: 7 },
  ]);
});

test('where no instance has a log the refusal says why', async () => {
  expect(await all(await service({ follow: false }))).toEqual([]);
  pending.push('m-1');
  await expect(service({ follow: false })).rejects.toThrow('no log of m-1');
  for (const kind of ['endpoint', 'joined']) {
    await expect(service({ follow: true, kind })).rejects.toThrow('no log of m-1');
  }
});

test('followed, later instances are taken up from their first line', async () => {
  const first = written('m-1', 'one\n');
  pending.push('m-3');
  const reader = collected(await service({ follow: true, tail: 1 }));
  await clock.advance(10);
  expect(reader.lines).toEqual(['m-1 one']);
  const second = written('m-2', 'a\nb\n');
  pending = [];
  written('m-3', 'c\n');
  await clock.advance(600);
  expect(reader.lines.toSorted()).toEqual(['m-1 one', 'm-2 a', 'm-2 b', 'm-3 c']);
  // The first one goes; its log has ended but is not read again while it is still listed.
  first.write('last words');
  first.end();
  await clock.advance(2000);
  logs.delete('m-1');
  second.write('d\n');
  await clock.advance(2000);
  expect(reader.lines.slice(-2)).toEqual(['m-1 last words', 'm-2 d']);
  expect(opened.map(({ instance }) => instance).toSorted()).toEqual(['m-1', 'm-2', 'm-3']);
  // m-3 was there from the beginning, without a log.
  expect(opened.map(({ tail }) => tail)).toEqual([1, undefined, 1]);
  end.abort();
  await reader.done;
  expect(second.isReading).toBe(false);
});

test('followed, it ends with the service, after what its instances still write', async () => {
  const log = written('m-1', 'one\n');
  const reader = collected(await service({ follow: true }));
  await clock.advance(10);
  isDeleted = true;
  await clock.advance(1000);
  log.write('two\n');
  log.end();
  await reader.done;
  expect(reader.lines).toEqual(['m-1 one', 'm-1 two']);
});

test('a slow reader is waited for; one that leaves closes every log', async () => {
  const log = written('m-1', ...Array.from({ length: 1000 }, (_, at) => `line ${at}\n`));
  const lines = await service({ follow: true });
  const reader = lines[Symbol.asyncIterator]();
  const first = reader.next();
  await clock.advance(10_000);
  expect((await first).value).toEqual({ instance: 'm-1', line: 'line 0' });
  await clock.advance(10_000);
  expect(log.taken).toBeLessThan(600);
  for (let at = 1; at < 1000; at += 1) {
    expect((await reader.next()).value).toEqual({ instance: 'm-1', line: `line ${at}` });
  }
  await reader.return?.();
  expect(log.isReading).toBe(false);
});

test('a line without end comes in pieces', async () => {
  written('m-1', 'x'.repeat(150_000), 'y\n');
  const lines = await all(await service({ follow: false }));
  expect(lines.map((line) => line.length - 'm-1 '.length)).toEqual([65_536, 65_536, 18_929]);
});

test('one instance is read although it is listed no more', async () => {
  written('m-9', 'gone\n');
  const request = { follow: true, tail: undefined, signal: end.signal };
  logs.get('m-9')?.end();
  const lines = await openInstanceLog({ open }, 'm-9', request);
  expect(await all(lines)).toEqual(['m-9 gone']);
});
