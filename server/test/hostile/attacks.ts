// What hostile clients do, over and over: each attack is one round that leaves nothing behind on
// the client's side. What the server keeps of it is measured by those who run them.

import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { Speaker } from './speaker.ts';
import type { Victim } from './victim.ts';
import { answersIn, type RawPeer, requestOf, tokenOf } from './world.ts';

export interface Attack {
  readonly name: string;
  /** What one round does that many times, in a test and in a soak. */
  readonly counts: { readonly test: number; readonly soak: number };
  round(victim: Victim, count: number, round: number): Promise<void>;
}

const queue = '/api/predict/one';
const sink = `${queue}/sink`;
/** Connections of one round that are open at the same time. */
const abreast = 100;

export const attacks: readonly Attack[] = [
  {
    name: 'idle connections',
    counts: { test: 250, soak: 10_000 },
    async round(victim, count) {
      const peers: RawPeer[] = [];
      while (peers.length < count) peers.push(...(await open(victim, Math.min(abreast, count))));
      await expectService(victim);
      await leave(peers);
    },
  },
  {
    name: 'requests that begin and never end',
    counts: { test: 150, soak: 5_000 },
    async round(victim, count) {
      const beginnings = [
        'POST /api/pre',
        `POST ${queue} HTTP/1.1\r\nHost: localhost\r\nX-`,
        requestOf('POST', queue, { headers: ['Content-Length: 8000'] }) + 'x'.repeat(4000),
        `${requestOf('POST', queue, { headers: ['Transfer-Encoding: chunked'] })}1000\r\nabc`,
        requestOf('PUT', `${queue}?_indexes_=1&_negative_=true`, {
          headers: ['Content-Length: 60000'],
        }),
      ];
      await inTurn(victim, count, async (peer, at) => {
        peer.send(beginnings[at % beginnings.length] ?? '');
        await turn();
      });
    },
  },
  {
    name: 'headers without end',
    counts: { test: 20, soak: 2_000 },
    async round(victim, count) {
      await inTurn(victim, count, async (peer, at) => {
        peer.send(`GET ${queue} HTTP/1.1\r\nHost: localhost\r\n`);
        for (let line = 0; line < 100 && !peer.isClosed; line++) {
          peer.send(`X-${at}-${line}: ${'y'.repeat(1000)}\r\n`);
          await turn();
        }
        const text = await peer.closed();
        if (text !== '' && !text.includes(' 431 ')) throw new Error(text.slice(0, 200));
      });
    },
  },
  {
    name: 'what is no HTTP',
    counts: { test: 250, soak: 20_000 },
    async round(victim, count) {
      await inTurn(victim, count, async (peer) => {
        peer.send(randomBytes(200));
        peer.socket.end();
        await peer.closed();
      });
    },
  },
  {
    name: 'addresses of nothing',
    counts: { test: 500, soak: 50_000 },
    round: (victim, count, round) =>
      requests(victim, count, (at) => requestOf('GET', `/x-${round}-${at}?tag-${at}=${at}`), 404),
  },
  {
    name: 'wrong tokens',
    counts: { test: 500, soak: 50_000 },
    round: (victim, count, round) =>
      requests(
        victim,
        count,
        (at) => {
          const token = at % 2 === 0 ? `wrong-${round}-${at}` : tokenOf('two');
          return requestOf('POST', queue, { token, body: 'x' });
        },
        401,
      ),
  },
  {
    name: 'distinct tags',
    counts: { test: 500, soak: 100_000 },
    async round(victim, count, round) {
      const tag = (at: number) => `name-${round}-${at}=value-${round}-${at}`;
      await requests(
        victim,
        count,
        (at) => requestOf('POST', `${queue}?${tag(at)}`, { body: 'x' }),
        200,
      );
      await requests(
        victim,
        100,
        (at) => requestOf('GET', `${queue}?_count_=true&${tag(at)}`),
        200,
      );
      await truncate(victim, queue);
    },
  },
  {
    name: 'request ids that nobody has, polled and left',
    counts: { test: 250, soak: 20_000 },
    async round(victim, count, round) {
      await inTurn(victim, count, async (peer, at) => {
        peer.send(requestOf('GET', `${sink}?_timeout_=60s&requestId=none-${round}-${at}`));
        await turn();
      });
    },
  },
  {
    name: 'groups and consumers by the thousand',
    counts: { test: 150, soak: 4_000 },
    async round(victim, count, round) {
      await inTurn(victim, count, async (peer, at) => {
        const who = [
          `X-EAS-QueueService-Redis-Gid: g${at}`,
          `X-EAS-QueueService-Redis-Uid: u${round}-${at}`,
        ];
        peer.send(
          requestOf('GET', `${sink}?_watch_=true&_index_=-1&_window_=65536`, { headers: who }),
        );
        await peer.until('\r\n\r\n');
      });
    },
  },
  {
    name: 'answers that nobody reads',
    counts: { test: 5_000, soak: 300_000 },
    async round(victim, count) {
      const [peer] = await open(victim, 1);
      if (peer === undefined) return;
      peer.socket.pause();
      const many = requestOf('POST', `${queue}?a=b`, { body: 'x' }).repeat(100);
      for (let at = 0; at < count / 100; at++) {
        if (!peer.socket.write(many)) {
          // The server takes no more: that is what it should do.
          const drained = new Promise((resolve) => peer.socket.once('drain', resolve));
          const stood = await Promise.race([
            drained.then(() => false),
            pause(500).then(() => true),
          ]);
          if (stood) break;
        }
      }
      await victim.measure();
      await leave([peer]);
      await truncate(victim, queue);
    },
  },
  {
    name: 'offers of another protocol, again and again',
    counts: { test: 250, soak: 20_000 },
    async round(victim, count) {
      const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'];
      const [peer] = await open(victim, 1);
      if (peer === undefined) return;
      const bytes = requestOf('GET', `${queue}?_attrs_=true`, { headers: offer });
      for (let at = 1; at <= count; at++) {
        peer.send(bytes);
        await peer.until((text) => answersIn(text).length > 0);
        peer.forget();
      }
      await victim.measure();
      await leave([peer]);
    },
  },
  {
    name: 'stream connections without a good token',
    counts: { test: 150, soak: 10_000 },
    async round(victim, count, round) {
      await abreastOf(count, 50, async (at) => {
        const speaker = await Speaker.connect(victim.port);
        speaker.hello({ token: `${round}-${at}-${'t'.repeat(900)}`, uid: 'u'.repeat(1000) });
        await speaker.find((said) => said.kind === 'welcome');
        speaker.close();
        await speaker.closed();
      });
    },
  },
  {
    name: 'WebSocket messages in pieces without end',
    counts: { test: 2, soak: 200 },
    async round(victim, count) {
      await abreastOf(count, 10, async () => {
        const { webSocket } = await Speaker.connect(victim.port);
        const closed = new Promise((resolve) => webSocket.once('close', resolve));
        for (let at = 0; at < 20_000 && webSocket.readyState === WebSocket.OPEN; at++) {
          webSocket.send('x', { binary: true, fin: false });
          if (at % 1000 === 0) await turn();
        }
        await closed;
      });
    },
  },
  {
    name: 'bodies in pieces of one byte',
    counts: { test: 2, soak: 40 },
    async round(victim, count) {
      const chunk = '1\r\nx\r\n'.repeat(1000);
      await abreastOf(count, 4, async () => {
        const [peer] = await open(victim, 1);
        if (peer === undefined) return;
        peer.send(requestOf('POST', queue, { headers: ['Transfer-Encoding: chunked'] }));
        for (let at = 0; at < 8; at++) {
          peer.send(chunk);
          await turn();
        }
        peer.send('0\r\n\r\n');
        await peer.until(' 200 ');
        await leave([peer]);
      });
      await truncate(victim, queue);
    },
  },
];

/** The server does what it is for. */
export async function expectService(victim: Victim): Promise<void> {
  const put = await one(
    victim,
    requestOf('POST', '/api/predict/two', { token: tokenOf('two'), body: 'still there?' }),
  );
  const got = await one(victim, requestOf('GET', '/api/predict/two', { token: tokenOf('two') }));
  if (!put.includes(' 200 ') || !got.endsWith('still there?')) throw new Error(put + got);
}

async function truncate(victim: Victim, at: string): Promise<void> {
  const text = await one(
    victim,
    requestOf('DELETE', `${at}?_trunc_=true&_index_=9007199254740991`),
  );
  if (!text.includes(' 200 ')) throw new Error(text);
}

async function one(victim: Victim, bytes: string): Promise<string> {
  const peer = await victim.peer();
  peer.send(bytes);
  const text = await peer.until((sofar) => answersIn(sofar).length > 0);
  await leave([peer]);
  return text;
}

/** Many requests, a hundred at a time on each of four connections, all with the same status. */
async function requests(
  victim: Victim,
  count: number,
  bytesOf: (at: number) => string,
  status: number,
): Promise<void> {
  const peers = await open(victim, 4);
  for (let at = 0; at < count; ) {
    const batches = peers.map(async (peer) => {
      const size = Math.min(100, Math.max(0, count - at));
      let bytes = '';
      for (let each = 0; each < size; each++) bytes += bytesOf(at++);
      if (size === 0) return;
      peer.send(bytes);
      const text = await peer.until((sofar) => answersIn(sofar).length >= size);
      const wrong = answersIn(text).find((answer) => answer.status !== status);
      if (wrong !== undefined) throw new Error(`${wrong.head}\n${wrong.body}`);
      peer.forget();
    });
    await Promise.all(batches);
  }
  await leave(peers);
}

/** Connections, a hundred at a time, each with its bit of malice, and cut all together. */
async function inTurn(
  victim: Victim,
  count: number,
  act: (peer: RawPeer, at: number) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < count; at += abreast) {
    const peers = await open(victim, Math.min(abreast, count - at));
    await Promise.all(peers.map((peer, each) => act(peer, at + each)));
    await leave(peers);
  }
}

async function abreastOf(count: number, wide: number, act: (at: number) => Promise<void>) {
  let at = 0;
  const worker = async (): Promise<void> => {
    while (at < count) await act(at++);
  };
  await Promise.all(Array.from({ length: Math.min(wide, count) }, worker));
}

function open(victim: Victim, count: number): Promise<RawPeer[]> {
  return Promise.all(Array.from({ length: count }, () => victim.peer()));
}

async function leave(peers: readonly RawPeer[]): Promise<void> {
  await Promise.all(
    peers.map((peer) => {
      peer.socket.destroy();
      return peer.closed();
    }),
  );
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
