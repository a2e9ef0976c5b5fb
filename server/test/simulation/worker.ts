// Those who work on the input queue: Sluice's own workers, remote ones on the stream protocol, and
// EAS consumers that put their results themselves; good ones and bad ones.

import type { CompleteRequest, ConsumerKind, Delivery, Identity } from '../../src/broker/queues.ts';
import type { Holder } from './holders.ts';
import { type Entry, resultPayload } from './ledger.ts';
import { Link } from './link.ts';
import { type Play, plainPut } from './play.ts';
import { serviceName } from './service.ts';

type Deed = 'succeed' | 'empty' | 'fail' | 'counted' | 'uncounted' | 'hang';

export async function work(play: Play, kind: ConsumerKind, key: string): Promise<void> {
  const { stage, random } = play;
  const window = random.between(1, 3);
  const voids = new Set<number>();
  let kill = (): void => undefined;
  const link: Link = new Link(play, {
    by: { gid: serviceName, uid: key },
    kind,
    window,
    deliver: (entry, delivery) => {
      const isFatal = entry.isPoison && kind !== 'eas';
      if (isFatal) start(play, () => swallow(play, link, delivery.deliveryId, kill));
      else start(play, () => serve(play, link, entry, delivery, voids));
    },
    voided: (deliveryId) => {
      voids.add(deliveryId);
      if (kind !== 'eas') start(play, () => free(play, link, deliveryId));
    },
  });
  const patienceMs = random.pick([300, 2_000, 10_000]);
  const stalls = random.chance(0.2);
  while (!stage.isOver) {
    const killed = new Promise<'killed'>((resolve) => {
      kill = () => resolve('killed');
    });
    if (!(await link.open())) {
      await stage.clock.sleep(20 + random.fraction() * 300);
      continue;
    }
    if (stalls && !stage.isCalm && random.chance(0.3)) {
      start(play, () => link.stall(random.fraction() * 1_000));
    }
    const lifeMs = stage.isCalm ? 8_000 : random.fraction() * patienceMs;
    const end = await Promise.race([killed, link.ended, stage.clock.sleep(lifeMs)]);
    if (end === 'killed') {
      await die(play, link, kind);
      continue;
    }
    await link.close(kind === 'eas' ? 'cut' : random.pick(['cut', 'cut', 'dead', 'drain']));
    const isLong = random.chance(0.1);
    await stage.clock.sleep(random.fraction() * (isLong ? 2 * stage.settings.resumeMs : 100));
  }
}

/** A request that ends whoever works on it, some time after it was begun. */
async function swallow(
  { stage, random }: Play,
  { holder }: Link,
  deliveryId: number,
  kill: () => void,
): Promise<void> {
  await stage.clock.sleep(random.fraction() * 60);
  if (!holder.open.has(deliveryId)) return;
  stage.note(`${holder.key} dies of ${deliveryId}`);
  kill();
}

/** Its end is reported, or it is seen no more for longer than it may take to come back. */
async function die({ stage, random }: Play, link: Link, kind: ConsumerKind): Promise<void> {
  const isReported = kind === 'worker' || random.chance(0.5);
  if (!isReported) for (const deliveryId of link.holder.open) link.hung.add(deliveryId);
  await link.close(isReported ? 'dead' : 'cut');
  const awayMs = isReported ? 100 : 2 * stage.settings.resumeMs;
  await stage.clock.sleep(awayMs * (1 + random.fraction()));
}

/** Runs a piece of an actor that nobody waits for. */
function start({ stage }: Play, piece: () => Promise<void>): void {
  piece().catch((error: unknown) => {
    stage.failure ??= error;
  });
}

async function free({ stage, random }: Play, link: Link, deliveryId: number): Promise<void> {
  await stage.clock.sleep(random.fraction() * 400);
  if (link.holder.open.has(deliveryId)) stage.queues?.freed('input', deliveryId);
}

async function serve(
  play: Play,
  link: Link,
  entry: Entry,
  delivery: Delivery,
  voids: ReadonlySet<number>,
): Promise<void> {
  const { stage, random } = play;
  const { deliveryId } = delivery;
  const { holder } = link;
  const deed = stage.isCalm ? 'succeed' : draw(play);
  const workMs = deed === 'hang' ? 3_000 : random.fraction() * 60;
  await stage.clock.sleep(workMs);
  // Most notice that the lease was taken; some finish what they began all the same.
  const isCareless = random.chance(0.2);
  if (voids.has(deliveryId) && !isCareless) return;
  if (!holder.open.has(deliveryId) && !isCareless) return;
  if (deed === 'hang' && random.chance(0.5)) {
    link.hung.add(deliveryId);
    return;
  }
  if (deed === 'counted' || deed === 'uncounted') {
    if (holder.kind === 'eas' && random.chance(0.5)) await refuse(play, holder, entry);
    else await giveBack(play, deliveryId, deed === 'counted');
    return;
  }
  if (holder.kind === 'eas' && entry.home === 'sink') {
    await putAndCommit(play, holder, entry, deliveryId, deed);
    return;
  }
  await complete(play, entry, deliveryId, deed);
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
  { stage }: Play,
  entry: Entry,
  deliveryId: number,
  deed: Deed,
): Promise<void> {
  const isFailure = deed === 'fail';
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
  await stage.ask((queues) => queues.complete(request));
}

async function putAndCommit(
  play: Play,
  holder: Holder,
  entry: Entry,
  deliveryId: number,
  deed: Deed,
): Promise<void> {
  const { stage, random } = play;
  const by = { gid: holder.gid, uid: holder.key };
  if (deed !== 'empty') {
    const request = { ...plainPut(resultPayload(entry, `e${deliveryId}`), by), id: entry.id };
    const answer = await stage.ask((queues) => queues.put('sink', request));
    if (answer.kind !== 'ok') return giveBack(play, deliveryId, true);
    if (random.chance(0.1)) return;
  }
  const indexes = [indexOf(entry)];
  await stage.ask((queues) => queues.commit('input', indexes, by));
}

/** A negative commit, as EAS consumers give messages back. */
async function refuse({ stage, random }: Play, holder: Holder, entry: Entry): Promise<void> {
  const by = { gid: holder.gid, uid: holder.key };
  const code = random.pick(['', '', 'Shutdown']);
  await stage.ask((queues) => queues.negative('input', [indexOf(entry)], by, code, ''));
}

function indexOf(entry: Entry): number {
  if (entry.index === undefined) throw new Error('a delivered message has an index');
  return entry.index;
}

async function giveBack(play: Play, deliveryId: number, counted: boolean): Promise<void> {
  const { stage, random } = play;
  const delayMs = random.chance(0.3) ? random.between(1, 1_000) : 0;
  const request = { deliveryId, counted, code: counted ? '504' : '429', reason: '', delayMs };
  await stage.ask((queues) => queues.giveBack('input', request));
}

/** A group that only wants copies. */
export async function copy(play: Play, key: string): Promise<void> {
  return take(play, { gid: 'copies', uid: key }, 'eas');
}

/** A member of a group among equals, which are done with a message when all of them are. */
export async function share(play: Play, key: string): Promise<void> {
  const gid = key.startsWith('ga') ? 'a' : 'b';
  return take(play, { gid, uid: key }, play.random.pick(['eas', 'stream', 'worker']));
}

async function take(play: Play, by: Identity, kind: ConsumerKind): Promise<void> {
  const { stage, random } = play;
  const link: Link = new Link(play, {
    by,
    kind,
    window: 2,
    deliver: (_, { index, deliveryId }) =>
      start(play, async () => {
        await stage.clock.sleep(random.fraction() * 30);
        if (!link.holder.open.has(deliveryId)) return;
        const drawn = stage.isCalm || kind === 'eas' ? 0 : random.fraction();
        if (drawn > 0.85) await giveBack(play, deliveryId, drawn > 0.93);
        else if (drawn > 0.5)
          await stage.ask((queues) => queues.commitDelivery('input', deliveryId));
        else await stage.ask((queues) => queues.commit('input', [index], by));
      }),
    voided: (deliveryId) => {
      if (kind !== 'eas') start(play, () => free(play, link, deliveryId));
    },
  });
  while (!stage.isOver) {
    if (await link.open()) {
      await Promise.race([link.ended, stage.clock.sleep(random.fraction() * 5_000)]);
      await link.close('cut');
    }
    await stage.clock.sleep(20 + random.fraction() * 300);
  }
}
