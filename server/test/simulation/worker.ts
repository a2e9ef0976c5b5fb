// Those who work on the input queue: Sluice's own workers, remote ones on the stream protocol, and
// EAS consumers that put their results themselves; good ones and bad ones.

import type { CompleteRequest, Delivery } from '../../src/broker/queues.ts';
import { type Entry, resultPayload } from './ledger.ts';
import { Link } from './link.ts';
import type { Holder } from './oracle.ts';
import { type Play, plainPut } from './play.ts';
import { said, serviceName } from './stage.ts';

type Deed = 'succeed' | 'empty' | 'fail' | 'counted' | 'uncounted' | 'hang';

export async function work(play: Play, kind: Holder['kind'], key: string): Promise<void> {
  const { stage, random } = play;
  const window = random.between(1, 3);
  const holder: Holder = { key, gid: serviceName, kind, window, open: new Set(), hung: new Set() };
  const voids = new Set<number>();
  const link = new Link(play, holder, {
    deliver: (entry, delivery) => start(play, () => serve(play, holder, entry, delivery, voids)),
    voided: (deliveryId) => {
      voids.add(deliveryId);
      if (kind !== 'eas') start(play, () => free(play, holder, deliveryId));
    },
  });
  const patienceMs = random.pick([300, 2_000, 10_000]);
  while (!stage.isOver) {
    if (!(await link.open())) {
      await stage.clock.sleep(20 + random.fraction() * 300);
      continue;
    }
    const lifeMs = stage.isCalm ? 60_000 : random.fraction() * patienceMs;
    await Promise.race([link.ended, stage.clock.sleep(lifeMs)]);
    await link.close(kind === 'eas' ? 'cut' : random.pick(['cut', 'dead', 'drain']));
    const isLong = random.chance(0.1);
    await stage.clock.sleep(random.fraction() * (isLong ? 2 * stage.settings.resumeMs : 100));
  }
}

/** Runs a piece of an actor that nobody waits for. */
function start({ stage }: Play, piece: () => Promise<void>): void {
  piece().catch((error: unknown) => {
    stage.failure ??= error;
  });
}

async function free(play: Play, holder: Holder, deliveryId: number): Promise<void> {
  const { stage, random } = play;
  await stage.clock.sleep(random.fraction() * 400);
  if (!holder.open.delete(deliveryId)) return;
  stage.note(`freed ${deliveryId}`);
  stage.queues?.freed('input', deliveryId);
}

async function serve(
  play: Play,
  holder: Holder,
  entry: Entry,
  delivery: Delivery,
  voids: ReadonlySet<number>,
): Promise<void> {
  const { stage, random } = play;
  const { deliveryId } = delivery;
  const deed = stage.isCalm ? 'succeed' : draw(play);
  const workMs = deed === 'hang' ? 3_000 : random.fraction() * 60;
  await stage.clock.sleep(workMs);
  // Most notice that the lease was taken; some finish what they began all the same.
  const isCareless = random.chance(0.2);
  if (voids.has(deliveryId) && !isCareless) return;
  if (!holder.open.has(deliveryId) && !isCareless) return;
  if (deed === 'hang' && random.chance(0.5)) {
    holder.hung.add(deliveryId);
    return;
  }
  if (deed === 'counted' || deed === 'uncounted') {
    await giveBack(play, holder, entry, deliveryId, deed === 'counted');
    return;
  }
  if (holder.kind === 'eas' && entry.home === 'sink') {
    await putAndCommit(play, holder, entry, deliveryId, deed);
    return;
  }
  await complete(play, holder, entry, deliveryId, deed);
}

function draw({ random }: Play): Deed {
  const drawn = random.fraction();
  if (drawn < 0.7) return 'succeed';
  if (drawn < 0.75) return 'empty';
  if (drawn < 0.8) return 'fail';
  if (drawn < 0.9) return 'counted';
  return drawn < 0.96 ? 'uncounted' : 'hang';
}

async function complete(
  play: Play,
  holder: Holder,
  entry: Entry,
  deliveryId: number,
  deed: Deed,
): Promise<void> {
  const { stage, oracle, results } = play;
  const isFailure = deed === 'fail';
  const hasResult = deed !== 'empty';
  const request: CompleteRequest = {
    deliveryId,
    payload:
      deed === 'succeed' || deed === 'hang' ? resultPayload(entry, `${deliveryId}`) : undefined,
    contentType: undefined,
    outcome: isFailure ? 'failed' : 'succeeded',
    code: isFailure ? '500' : '',
    reason: '',
    firstOutputAt: 0,
  };
  const { wasSure } = oracle.completeAsked(holder, entry, deliveryId);
  const answer = await stage.ask((queues) => queues.complete(request));
  const as = isFailure ? 'failed' : 'succeeded';
  oracle.completeAnswered(entry, deliveryId, answer, { wasSure, as, hasResult });
  if (answer.kind === 'refused') results.completionRefused(entry, `${deliveryId}`);
}

async function putAndCommit(
  play: Play,
  holder: Holder,
  entry: Entry,
  deliveryId: number,
  deed: Deed,
): Promise<void> {
  const { stage, oracle, random } = play;
  const by = { gid: holder.gid, uid: holder.key };
  if (deed !== 'empty') {
    oracle.resultAsked(entry);
    const request = { ...plainPut(resultPayload(entry, `e${deliveryId}`), by), id: entry.id };
    const answer = await stage.ask((queues) => queues.put('sink', request));
    stage.note(`result of ${entry.index} by ${holder.key}: ${said(answer)}`);
    if (answer.kind !== 'ok') return giveBack(play, holder, entry, deliveryId, true);
    if (answer.value.index > 0) oracle.told(entry, answer.value.index);
    if (random.chance(0.1)) return;
  }
  const { isAlone } = oracle.commitAsked(holder, entry, deliveryId);
  const indexes = [indexOf(entry)];
  const answer = await stage.ask((queues) => queues.commit('input', indexes, by));
  oracle.commitAnswered(entry, answer, isAlone);
}

function indexOf(entry: Entry): number {
  if (entry.index === undefined) throw new Error('a delivered message has an index');
  return entry.index;
}

async function giveBack(
  play: Play,
  holder: Holder,
  entry: Entry,
  deliveryId: number,
  counted: boolean,
): Promise<void> {
  const { stage, oracle, random } = play;
  const delayMs = random.chance(0.3) ? random.between(1, 1_000) : 0;
  const askedAt = stage.now;
  oracle.returnAsked(holder, entry, deliveryId);
  const request = { deliveryId, counted, code: counted ? '504' : '429', reason: '', delayMs };
  const answer = await stage.ask((queues) => queues.giveBack('input', request));
  oracle.returnAnswered(entry, answer, { counted, delayMs, askedAt });
}

/** A group that only wants copies. */
export async function copy(play: Play, key: string): Promise<void> {
  const { stage, oracle, random } = play;
  const holder: Holder = {
    key,
    gid: 'copies',
    kind: 'eas',
    window: 2,
    open: new Set(),
    hung: new Set(),
  };
  const by = { gid: holder.gid, uid: key };
  const link = new Link(play, holder, {
    deliver: (entry, { index, deliveryId }) =>
      start(play, async () => {
        await stage.clock.sleep(random.fraction() * 30);
        if (!holder.open.has(deliveryId)) return;
        oracle.copyDone(holder, entry, deliveryId);
        await stage.ask((queues) => queues.commit('input', [index], by));
      }),
    voided: () => undefined,
  });
  while (!stage.isOver) {
    if (await link.open()) {
      await Promise.race([link.ended, stage.clock.sleep(random.fraction() * 5_000)]);
      await link.close('cut');
    }
    await stage.clock.sleep(20 + random.fraction() * 300);
  }
}
