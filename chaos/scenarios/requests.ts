// Requests as objects: submitted once by a key however often it takes, cancelled, delayed, with
// deadlines and callbacks, followed by slow readers, while model processes and the server are
// killed. Every one ends in exactly one state, and its record explains it.

import { createServer } from 'node:http';
import { instanceDefinition } from '../instances.ts';
import { resultOf } from '../ledger.ts';
import { comesTrue, insist, pause, someMs } from '../pause.ts';
import { freePort } from '../port.ts';
import { flawOf, type Wish } from '../request-book.ts';
import { RequestCaller, type Status } from '../request-caller.ts';
import type { Scenario, Stage } from '../scenario.ts';
import type { Server } from '../server.ts';
import { killQuietly } from '../world.ts';

const service = 'requests';
const lanes = 48;
const full = 10_000;
const quick = 60;
const restMs = 120_000;
const forEver = new AbortController().signal;

export const requests: Scenario = {
  name: 'requests',
  about: 'SIGKILL of server and models while requests are cancelled, repeated, delayed, followed',
  share: 20,
  async run(stage) {
    const told = new Set<string>();
    const hook = await listen(stage, told);
    const server = await stage.server([definition(stage)]);
    await server.start();
    const caller = new RequestCaller(server.url, service);
    const count = stage.isQuick ? quick : full;
    const wishes = Array.from({ length: count }, (_, nth) => wishOf(nth, hook));
    const todo = [...wishes];
    const lane = async (): Promise<void> => {
      for (let wish = todo.shift(); wish !== undefined; wish = todo.shift()) {
        await live(stage, caller, wish);
      }
    };
    const living = Promise.all(Array.from({ length: lanes }, lane));
    await strike(stage, server, count, living);
    await living;
    await settle(stage, caller, wishes, told);
    await server.stop();
    await stage.verify(server);
  },
};

function definition({ world }: Stage): object {
  const plain = instanceDefinition(world, { name: service, instances: 3, latencyMs: 60 });
  return {
    ...plain,
    queue: { max_delivery: 3 },
    callbacks: { allow: ['127.0.0.0/8'] },
  };
}

/** Kills model processes and the server until all requests are on their way. */
async function strike(
  stage: Stage,
  server: Server,
  count: number,
  living: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  void living.then(() => (isOver = true));
  for (let nth = 0; nth < stage.kills && !isOver; nth += 1) {
    await Promise.race([
      living,
      stage.ledger.until(Math.floor((count * (nth + 1)) / (stage.kills + 1))),
    ]);
    const running = await server.admin.instances(service);
    const pid = running[Math.floor(Math.random() * running.length)]?.pid ?? 0;
    if (pid > 0) killQuietly(pid);
    stage.fault();
    await pause(someMs(0, 300));
    await server.kill();
    await server.start();
  }
}

function wishOf(nth: number, hook: string): Wish {
  const key = `request-${nth}`;
  const chance = (share: number): boolean => Math.random() < share;
  const kind = chance(0.08) ? 'fail ' : chance(0.04) ? 'late ' : '';
  const headers: Record<string, string> = { 'idempotency-key': key, 'content-type': 'text/plain' };
  const startsWithin = chance(0.08);
  const finishesWithin = chance(0.08);
  const hasCallback = chance(0.15);
  if (startsWithin) headers['sluice-start-within'] = `${Math.ceil(someMs(50, 3000))}ms`;
  if (finishesWithin) headers['sluice-finish-within'] = `${Math.ceil(someMs(50, 3000))}ms`;
  // A deadline before the end of the delay is refused, as it should be.
  if (!startsWithin && !finishesWithin && chance(0.1))
    headers['sluice-delay'] = `${Math.ceil(someMs(10, 1500))}ms`;
  if (hasCallback) headers['sluice-callback'] = hook;
  return {
    key,
    body: `${kind}${key}`,
    headers,
    hasDeadline: startsWithin || finishesWithin,
    hasCallback,
    id: undefined,
    wantsCancel: chance(0.12),
    isCanceled: false,
  };
}

/** One request from its submission on, as far as a client has a hand in it. */
async function live(stage: Stage, caller: RequestCaller, wish: Wish): Promise<void> {
  stage.ledger.asked(wish.key);
  const times = Math.random() < 0.1 ? 3 : 1;
  await Promise.all(Array.from({ length: times }, () => submit(stage, caller, wish)));
  const { id } = wish;
  if (id === undefined) return;
  if (Math.random() < 0.05) {
    caller.readSlowly(id, { paceMs: 200, forMs: 3_000 }).catch(() => undefined);
  }
  if (Math.random() < 0.05) await reuse(stage, caller, wish);
  if (!wish.wantsCancel) return;
  await pause(someMs(0, 400));
  const answer = await insist(() => caller.call('POST', `requests/${id}/cancel`), forEver);
  if (answer?.status === 200) wish.isCanceled = true;
  else if (answer?.status !== 409) stage.problem(`cancel of ${wish.key}: ${answer?.text}`);
}

async function submit(stage: Stage, caller: RequestCaller, wish: Wish): Promise<void> {
  const { body, headers } = wish;
  const send = { body, headers };
  const answer = await insist(() => caller.call('POST', 'requests', send), forEver);
  if (answer === undefined) return;
  if (answer.status !== 202) {
    stage.problem(`submission of ${wish.key}: ${answer.status} ${answer.text}`);
    return;
  }
  // What the server sends is judged below, field by field.
  const { id, index } = JSON.parse(answer.text) as Status;
  if (wish.id !== undefined && wish.id !== id) {
    stage.problem(`${wish.key} was answered with ${wish.id} and with ${id}`);
  }
  wish.id = id;
  stage.ledger.accepted(wish.key, index, service);
}

/** The same key with another body must change nothing. */
async function reuse(stage: Stage, caller: RequestCaller, wish: Wish): Promise<void> {
  const send = { body: `other ${wish.body}`, headers: wish.headers };
  const answer = await insist(() => caller.call('POST', 'requests', send), forEver);
  if (answer?.status === 422) return;
  stage.problem(`${wish.key} was reused: ${answer?.status} ${answer?.text}`);
}

/** Waits until all are at rest, then asks for each what became of it. */
async function settle(
  stage: Stage,
  caller: RequestCaller,
  wishes: readonly Wish[],
  told: ReadonlySet<string>,
): Promise<void> {
  const isRested = async (): Promise<boolean> => {
    const { text } = await caller.call('GET', 'requests?state=queued&state=running&limit=1');
    return (JSON.parse(text) as { requests: unknown[] }).requests.length === 0;
  };
  if (!(await comesTrue(isRested, restMs))) stage.problem('not every request came to rest');
  const left = wishes.filter(({ id }) => id !== undefined);
  const judges = Array.from({ length: lanes }, async () => {
    for (let wish = left.shift(); wish !== undefined; wish = left.shift()) {
      await judge(stage, caller, wish);
    }
  });
  await Promise.all(judges);
  const owed = wishes.filter((wish) => wish.hasCallback && wish.id !== undefined);
  const isTold = (): boolean => owed.every(({ id }) => told.has(id ?? ''));
  if (!(await comesTrue(isTold, restMs))) {
    const missing = owed.filter(({ id }) => !told.has(id ?? '')).map(({ key }) => key);
    stage.problem(`${missing.length} callbacks never came: ${missing.slice(0, 5).join(', ')}`);
  }
  stage.note(`${owed.length} callbacks came, each at least once`);
  await judgeList(stage, caller, wishes);
}

async function judge(stage: Stage, caller: RequestCaller, wish: Wish): Promise<void> {
  const { ledger } = stage;
  const { id, key } = wish;
  const status = JSON.parse((await caller.call('GET', `requests/${id}`)).text) as Status;
  const result = await caller.call('GET', `requests/${id}/result`);
  const again = await caller.call('GET', `requests/${id}/result`);
  const flaw = flawOf(wish, status, result);
  if (flaw !== undefined) stage.problem(flaw);
  if (again.status !== result.status)
    stage.problem(`the result of ${key} was gone at the second look`);
  if (status.state === 'succeeded') ledger.seen(key, status.index, resultOf(key), undefined);
  else if (status.state === 'failed' || status.state === 'dead') ledger.died(key);
  else ledger.deleted(key);
}

/** The list has every request once, and no other. */
async function judgeList(
  stage: Stage,
  caller: RequestCaller,
  wishes: readonly Wish[],
): Promise<void> {
  const listed = new Map<string, string>();
  for (let cursor = ''; ; ) {
    const { text } = await caller.call('GET', `requests?limit=100${cursor}`);
    const { requests, next } = JSON.parse(text) as { requests: Status[]; next: string | null };
    for (const { id, state } of requests) {
      if (listed.has(id)) stage.problem(`${id} is listed twice`);
      listed.set(id, state);
    }
    if (next === null) break;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
  const known = new Set(wishes.map(({ id }) => id));
  if (listed.size !== known.size) stage.problem(`${listed.size} are listed, not ${known.size}`);
  const counts = new Map<string, number>();
  for (const state of listed.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
  stage.note([...counts].map(([state, count]) => `${count} ${state}`).join(', '));
}

/** A receiver of callbacks; answers its address. */
async function listen({ world }: Stage, told: Set<string>): Promise<string> {
  const port = await freePort();
  const receiver = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const { data } = JSON.parse(text) as { data?: { id?: string } };
    if (data?.id !== undefined) told.add(data.id);
    response.end();
  });
  await new Promise<void>((resolve) => receiver.listen(port, '127.0.0.1', resolve));
  world.onClose(async () => {
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });
  return `http://127.0.0.1:${port}/told`;
}
