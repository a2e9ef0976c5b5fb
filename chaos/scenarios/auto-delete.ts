// Results are fetched with auto delete, and the connection or the server goes in the middle: after
// the first bytes of the answer, and between its last byte and the deletion. Only answers that
// arrived whole count as seen; all else must be handed out again, under the same index.

import { get } from 'node:http';
import { connect } from '@sluice/sdk';
import { EasCaller, framesOf } from '../eas-caller.ts';
import { resultOf } from '../ledger.ts';
import { comesTrue, someMs } from '../pause.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server, ServerProcess } from '../server.ts';
import { forEachDelivery, settle } from '../traffic.ts';

const service = 'handout';
const perRound = 24;
/** All of them together are more than the system's buffers between two sockets hold. */
const resultBytes = 768 * 1024;
const killMsMost = 20;
const restMs = 60_000;

const ways = ['cut', 'kill', 'whole'] as const;
type Way = (typeof ways)[number];

export const autoDelete: Scenario = {
  name: 'auto-delete',
  about: 'SIGKILL and cuts in the middle and at the end of a get with auto delete',
  share: 20,
  async run(stage) {
    const definition = {
      metadata: { name: service, type: 'Async', instance: 0 },
      queue: { sink: { max_payload_size_kb: 1024 } },
    };
    const server = await stage.server([definition]);
    await server.start();
    const work = new AbortController();
    const client = await connect(server.url, { service, gid: service, uid: 'worker' });
    const working = forEachDelivery(client, 'input', work.signal, (delivery) => {
      const text = resultOf(new TextDecoder().decode(delivery.payload)).padEnd(resultBytes);
      void settle(() => delivery.complete(text), work.signal);
    });
    for (let nth = 0; stage.killed < stage.kills; nth += 1) {
      await fill(stage, server, nth);
      await fetchSome(stage, server, ways[nth % ways.length] ?? 'cut');
    }
    const eas = new EasCaller({ url: server.url, service });
    const isWorkedOff = async (): Promise<boolean> => (await eas.length('input')) === 0;
    if (!(await comesTrue(isWorkedOff, restMs))) stage.problem('it did not come to rest');
    while (await drain(stage, eas));
    work.abort();
    await client.close();
    await working;
    await stage.count({ url: server.url, service });
    await server.stop();
    await stage.verify(server);
  },
};

/** Puts requests until there are results enough in the sink; those shown again count. */
async function fill(stage: Stage, server: Server, round: number): Promise<void> {
  const eas = new EasCaller({ url: server.url, service });
  const missing = perRound - (await eas.length('sink'));
  for (let nth = 0; nth < missing; nth += 1) {
    const id = `${round}-${nth}`;
    stage.ledger.asked(id);
    stage.ledger.accepted(id, await eas.put(id, id), service);
  }
  const isFull = async (): Promise<boolean> => (await eas.length('sink')) >= perRound;
  if (!(await comesTrue(isFull, 20_000))) stage.problem('results are missing in the sink');
}

/** Fetches all results and lets something happen to that. */
async function fetchSome(stage: Stage, server: Server, way: Way): Promise<void> {
  const range = `_index_=0&_length_=${perRound}&_auto_delete_=true&_raw_=false`;
  const address = `${server.url}/api/predict/${service}/sink?${range}`;
  const life = server.current;
  life.isExpected = way !== 'cut';
  const text = await fetchText(address, {
    begun: () => {
      if (way === 'kill') life.signal('SIGKILL');
      return way === 'whole';
    },
    ended: () => killSoon(life),
  });
  if (text !== undefined) {
    for (const { id, index, text: result } of framesOf(text)) {
      stage.ledger.seen(id, index, result.trimEnd(), undefined);
    }
  }
  if (way === 'cut') {
    stage.fault();
    return;
  }
  await life.ended;
  stage.killed += 1;
  stage.progress();
  await server.start();
}

/** Before the deletion, in it, or just after it. */
function killSoon(life: ServerProcess): void {
  if (Math.random() < 0.5) life.signal('SIGKILL');
  else setTimeout(() => life.signal('SIGKILL'), someMs(0, killMsMost));
}

interface FetchEvents {
  /** The first bytes have come; whether to go on. */
  readonly begun: () => boolean;
  /** The last byte has come. Nothing is between this and what it was told by. */
  readonly ended: () => void;
}

/** undefined: the answer did not arrive as a whole. */
function fetchText(address: string, events: FetchEvents): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(address, { agent: false, headers: { Accept: 'application/json' } });
    request.once('error', () => resolve(undefined));
    request.once('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('error', () => resolve(undefined));
      response.once('data', () => {
        if (!events.begun()) request.destroy();
      });
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('close', () => resolve(undefined));
      response.once('end', () => {
        events.ended();
        resolve(Buffer.concat(pieces).toString());
      });
    });
  });
}

/** Whether there was anything. */
async function drain(stage: Stage, eas: EasCaller): Promise<boolean> {
  const frames = await eas.list('sink', { length: perRound, waitMs: 200 });
  for (const { id, index, text } of frames) stage.ledger.seen(id, index, text.trimEnd(), undefined);
  const indexes = frames.map(({ index }) => index);
  if (indexes.length > 0) await eas.remove('sink', indexes);
  return frames.length > 0;
}
