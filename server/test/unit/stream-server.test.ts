// The server's end of the stream protocol, spoken to by hand: order, limits, sessions, refusals.

import {
  ByteWriter,
  type ClientOperation,
  clientCodec,
  type ServerOperation,
  serverCodec,
} from '@sluice/sdk/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamLimits } from '../../src/http/stream/limits.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { type MemoryLink, mainToken, StreamWorld, service } from './stream-world.ts';

/** Speaks the protocol by hand. */
class Speaker {
  readonly heard: ServerOperation[] = [];
  readonly link: MemoryLink;
  closed: { code: number; reason: string } | undefined;
  #wake: (() => void) | undefined;

  constructor(world: StreamWorld) {
    this.link = world.raw({
      message: (bytes) => {
        this.heard.push(...serverCodec.read(bytes));
        this.#wake?.();
      },
      closed: (code, reason) => {
        this.closed = { code, reason };
        this.#wake?.();
      },
    });
  }

  say(...operations: ClientOperation[]): void {
    const writer = new ByteWriter(64);
    for (const operation of operations) clientCodec.write(writer, operation);
    this.link.client.send(writer.finish());
  }

  hello(over: Partial<Extract<ClientOperation, { kind: 'hello' }>> = {}): void {
    const who = { token: mainToken, uid: 'u', gid: service, resume: '', agent: 'hand' };
    this.say({ kind: 'hello', version: 1, ...who, credit: 2 ** 20, ...over });
  }

  open(number = 1): void {
    this.say({ kind: 'open', number, service, queue: 'input', gid: '', uid: '' });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async answer(number: number): Promise<ServerOperation> {
    const find = () => this.heard.find((said) => 'number' in said && said.number === number);
    await this.until(() => find() !== undefined || this.closed !== undefined);
    const found = find();
    if (found === undefined) throw new Error(`closed: ${this.closed?.reason}`);
    return found;
  }
}

const put = (number: number, over: Partial<Extract<ClientOperation, { kind: 'put' }>> = {}) => {
  const payload = new Uint8Array([1]);
  const fields = { id: '', tags: new Map(), priority: 0, path: undefined, contentType: undefined };
  const size = payload.length;
  return {
    kind: 'put',
    number,
    channel: 1,
    ...fields,
    payload,
    transfer: 0,
    size,
    ...over,
  } as const;
};

let world: StreamWorld;
const limits: Partial<StreamLimits> = {
  operationsMax: 8,
  watchesMax: 2,
  channelsMax: 3,
  refusedOpensMax: 3,
};

beforeEach(async () => {
  world = await StreamWorld.open({ limits });
});

afterEach(() => world.close());

describe('the stream server', () => {
  it('takes hello, open and calls in one message and answers by number', async () => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.open();
    speaker.say(put(2), put(3));
    expect(await speaker.answer(3)).toMatchObject({ kind: 'putDone', index: 2 });
    expect(speaker.heard[0]).toMatchObject({ kind: 'welcome', version: 1, operationsMax: 8 });
  });

  it.each([
    ['bytes that are no operation', () => new Uint8Array([255, 255, 255, 1])],
    ['an operation before hello', () => bytesOf({ kind: 'ping', number: 1 })],
  ])('closes with 4400 on %s', async (_, bytes) => {
    const speaker = new Speaker(world);
    speaker.link.client.send(bytes());
    await speaker.until(() => speaker.closed !== undefined);
    expect(speaker.closed?.code).toBe(4400);
    expect(speaker.heard[0]).toMatchObject({ kind: 'error', number: 0, code: 'bad_request' });
  });

  it('closes on a second hello and on a version that it does not speak', async () => {
    const twice = new Speaker(world);
    twice.hello();
    twice.hello();
    const newer = new Speaker(world);
    newer.hello({ version: 2 });
    await twice.until(() => twice.closed !== undefined);
    await newer.until(() => newer.closed !== undefined);
    expect([twice.closed?.code, newer.closed?.code]).toEqual([4400, 4400]);
  });

  it('closes a connection that keeps guessing tokens', async () => {
    const speaker = new Speaker(world);
    speaker.hello({ token: 'guess' });
    speaker.open(1);
    speaker.open(2);
    expect(await speaker.answer(2)).toMatchObject({ kind: 'error', code: 'unauthorized' });
    expect(speaker.closed).toBeUndefined();
    speaker.open(3);
    await speaker.until(() => speaker.closed !== undefined);
    expect(speaker.closed?.code).toBe(4401);
  });

  it('refuses what is over its limits by name and value, and goes on', async () => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.open();
    speaker.say(...Array.from({ length: 9 }, (_, at) => put(10 + at)));
    expect(await speaker.answer(18)).toMatchObject({
      kind: 'error',
      code: 'rate_limited',
      text: expect.stringContaining('stream.operationsMax = 8'),
    });
    expect(await speaker.answer(17)).toMatchObject({ kind: 'putDone' });
    const watch = { channel: 1, window: 1, from: 0, indexOnly: false, autoCommit: false } as const;
    const rest = { worker: false, tags: new Map(), id: '', holding: [], revision: 0 } as const;
    for (let number = 30; number < 33; number++)
      speaker.say({ kind: 'watch', number, ...watch, ...rest });
    expect(await speaker.answer(32)).toMatchObject({
      text: expect.stringContaining('stream.watchesMax = 2'),
    });
    speaker.open(40);
    speaker.open(41);
    speaker.open(42);
    expect(await speaker.answer(42)).toMatchObject({
      text: expect.stringContaining('stream.channelsMax = 3'),
    });
  });

  it('refuses a call on a queue that was not opened', async () => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.say(put(5));
    expect(await speaker.answer(5)).toMatchObject({ kind: 'error', code: 'bad_request' });
  });

  it.each([
    [
      'a part that nobody announced',
      [{ kind: 'part', transfer: 9, part: 0, data: new Uint8Array(4) }],
    ],
    ['two transfers at once', [put(5, announced(1, 4096)), put(6, announced(2, 4096))]],
    [
      'more bytes than announced',
      [put(5, announced(1, 4)), { kind: 'part', transfer: 1, part: 0, data: new Uint8Array(5) }],
    ],
    [
      'parts out of order',
      [put(5, announced(1, 8)), { kind: 'part', transfer: 1, part: 1, data: new Uint8Array(4) }],
    ],
  ] as [string, ClientOperation[]][])('closes on %s', async (_, operations) => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.open();
    speaker.say(...operations);
    await speaker.until(() => speaker.closed !== undefined);
    expect(speaker.closed?.code).toBe(4400);
    expect(world.queues.view('input').length).toBe(0);
  });

  it('joins parts into one message and forgets a transfer that is given up', async () => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.open();
    speaker.say(
      put(5, announced(1, 8)),
      { kind: 'part', transfer: 1, part: 0, data: new Uint8Array(5) },
      { kind: 'abandon', transfer: 1 },
      put(6, announced(2, 8)),
      { kind: 'part', transfer: 2, part: 0, data: new Uint8Array(5).fill(7) },
      { kind: 'ping', number: 7 },
      { kind: 'part', transfer: 2, part: 1, data: new Uint8Array(3).fill(8) },
    );
    expect(await speaker.answer(6)).toMatchObject({ kind: 'putDone', index: 1 });
    const handout = await world.queues.get('input', anything, undefined);
    expect([...(handout.messages[0]?.payload ?? [])]).toEqual([7, 7, 7, 7, 7, 8, 8, 8]);
    handout.cut();
    expect(speaker.heard.some((said) => 'number' in said && said.number === 5)).toBe(false);
  });

  it('sends no more to a client that does not read than its bound', async () => {
    const speaker = new Speaker(world);
    speaker.hello();
    speaker.open();
    const payload = new Uint8Array(8000);
    for (let count = 0; count < 400; count++) {
      await world.queues.put('input', { ...plainPut, payload });
    }
    speaker.link.stall();
    const watch = {
      channel: 1,
      window: 65_536,
      from: 0,
      indexOnly: false,
      autoCommit: true,
    } as const;
    speaker.say({
      kind: 'watch',
      number: 9,
      ...watch,
      worker: false,
      tags: new Map(),
      id: '',
      holding: [],
      revision: 0,
    });
    const quiet = async (): Promise<void> => {
      let before = -1;
      while (before !== speaker.link.sent) {
        before = speaker.link.sent;
        for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done));
      }
    };
    await quiet();
    expect(speaker.link.sent).toBeGreaterThan(500_000);
    expect(speaker.link.sent).toBeLessThan(1_400_000);
    speaker.link.flow();
    await speaker.until(
      () => speaker.heard.filter(({ kind }) => kind === 'deliver').length === 400,
    );
  });

  it('lets the newest connection of a session win', async () => {
    const first = new Speaker(world);
    first.hello();
    await first.until(() => first.heard.length > 0);
    const [welcome] = first.heard;
    const resume = welcome?.kind === 'welcome' ? welcome.session : '';
    const second = new Speaker(world);
    second.hello({ resume });
    await first.until(() => first.closed !== undefined);
    expect(first.closed?.code).toBe(4409);
    await second.until(() => second.heard.length > 0);
    expect(second.heard[0]).toMatchObject({ kind: 'welcome', session: resume });
    const stranger = new Speaker(world);
    stranger.hello({ resume, uid: 'somebody else' });
    await stranger.until(() => stranger.heard.length > 0);
    expect(stranger.heard[0]).not.toMatchObject({ session: resume });
    expect(second.closed).toBeUndefined();
  });
});

describe('the clock of the stream server', () => {
  it('closes a connection that does not say hello in time', async () => {
    const clock = new VirtualClock(new SeededRandom(1));
    const own = await StreamWorld.open({ clock });
    const speaker = new Speaker(own);
    await clock.advance(4999);
    expect(speaker.closed).toBeUndefined();
    await clock.advance(1);
    await speaker.until(() => speaker.closed !== undefined);
    expect(speaker.closed?.code).toBe(4408);
    await own.close();
  });
});

const anything = {
  from: 0,
  length: 1,
  timeoutMs: 0,
  autoDelete: true,
  tags: new Map(),
  id: undefined,
  by: { gid: 'g', uid: 'u' },
};

const plainPut = {
  id: undefined,
  tags: new Map(),
  priority: 0,
  by: { gid: 'g', uid: 'u' },
  path: undefined,
  contentType: undefined,
  home: 'sink',
  expiresAt: 0,
  owner: undefined,
  idempotencyKey: undefined,
  terms: undefined,
} as const;

function announced(transfer: number, size: number) {
  return { payload: new Uint8Array(0), transfer, size };
}

function bytesOf(operation: ClientOperation): Uint8Array {
  const writer = new ByteWriter(16);
  clientCodec.write(writer, operation);
  return writer.finish();
}
