// Users of the SDK's client on the simulated network, over both protocols: they submit, fetch and
// consume, lose their connections, come back under the same name, and leave.

import { type Client, type ClientProtocol, connect, type Delivery } from '@sluice/sdk';
import { PlatformError } from '@sluice/sdk/wire';
import { type Answer, refusalOf } from './answer.ts';
import { address, clientPlatform } from './client-platform.ts';
import { token } from './doorway.ts';
import { payloadOf, resultPayload } from './ledger.ts';
import type { Play } from './play.ts';
import type { SeededRandom } from './seeded-random.ts';
import { serviceName } from './service.ts';

interface Who {
  readonly uid: string;
  readonly gid: string;
  readonly protocol: ClientProtocol;
}

const timeoutMs = 3_000;

/** A client that is connected; undefined: the run was over first. */
async function meet(play: Play, { uid, gid, protocol }: Who): Promise<Client | undefined> {
  const { stage, random } = play;
  const { network } = stage;
  while (!stage.isOver) {
    const platform = clientPlatform({ stage, network, random: random.fork(), who: uid });
    const options = { service: serviceName, token, uid, gid, protocol, timeoutMs, platform };
    const answer = await settled(() => connect(address, options));
    if (answer.kind === 'ok') return answer.value;
    await stage.clock.sleep(20 + random.fraction() * 300);
  }
  return undefined;
}

async function settled<Value>(call: () => Promise<Value>): Promise<Answer<Value>> {
  try {
    return { kind: 'ok', value: await call() };
  } catch (error) {
    return refusalOf(error);
  }
}

function anyProtocol(random: SeededRandom): ClientProtocol {
  return random.pick(['stream', 'eas']);
}

/** Hands requests over, and repeats what it never heard of when that is safe. */
export async function remoteSubmit(play: Play, uid: string): Promise<void> {
  const { stage, random, oracle, users } = play;
  const client = await meet(play, { uid, gid: 'eas', protocol: anyProtocol(random) });
  const paceMs = random.pick([20, 80]);
  let count = 0;
  while (client !== undefined && !stage.isCalm) {
    await stage.clock.sleep(random.fraction() * paceMs);
    count += 1;
    const priority = random.chance(0.2) ? random.between(1, 3) : 0;
    const callerId = random.chance(0.7) ? `${uid}-${count}` : undefined;
    const isPoison = random.chance(0.05);
    const entry = oracle.putAsked({ home: 'sink', priority, callerId, isPoison });
    let isFirst = true;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const put = { id: callerId, priority };
      const answer = await settled(() => client.input.put(payloadOf(entry), put));
      stage.note(`${uid} put ${entry.token}: ${answer.kind}`);
      users.put(entry, answer, isFirst);
      if (answer.kind !== 'unknown' || callerId === undefined) break;
      isFirst = false;
      await stage.clock.sleep(random.fraction() * 300);
    }
  }
  await client?.close();
}

/** Fetches results by long polls. */
export async function remoteFetch(play: Play, uid: string): Promise<void> {
  const { stage, random, users } = play;
  const client = await meet(play, { uid, gid: 'eas', protocol: anyProtocol(random) });
  while (client !== undefined && !stage.isOver) {
    await stage.clock.sleep(random.fraction() * 100);
    const autoDelete = stage.isCalm || random.chance(0.8);
    const length = random.between(1, 4);
    const waitMs = random.between(0, 500);
    const gone = new AbortController();
    if (!stage.isCalm && random.chance(0.1)) {
      stage.clock.after(random.fraction() * 300, () => gone.abort(goneAway));
    }
    const { signal } = gone;
    const answer = await settled(() => client.sink.get({ length, waitMs, autoDelete, signal }));
    if (answer.kind !== 'ok') continue;
    for (const message of answer.value) users.got(uid, message, { autoDelete });
  }
  await client?.close();
}

const goneAway = new PlatformError('timeout', 'its caller does not wait any more');

/** Works on the input queue as a member of the working group, or of one among equals. */
export async function remoteConsume(play: Play, uid: string, gid = serviceName): Promise<void> {
  const { stage, random } = play;
  const protocol = anyProtocol(random);
  const window = random.between(1, 3);
  const worker = protocol === 'stream' && random.chance(0.3);
  const left: Client[] = [];
  let born = 0;
  let served = 0;
  while (!stage.isOver) {
    // Many consumers have a new name each time they come.
    if (random.chance(0.3)) born += 1;
    const client = await meet(play, { uid: `${uid}.${born}`, gid, protocol });
    if (client === undefined) break;
    const watch = client.input.watch({ window, worker });
    const work = async (): Promise<void> => {
      for (;;) {
        const delivery = await watch.next();
        if (delivery === undefined) return;
        served += 1;
        serve(play, delivery, `${uid}-${served}`).catch((error: unknown) => {
          stage.failure ??= error;
        });
      }
    };
    const working = settled(work);
    const lifeMs = stage.isCalm ? 8_000 : random.fraction() * random.pick([300, 3_000]);
    await Promise.race([working, stage.clock.sleep(lifeMs)]);
    // Some come again under the same name while the connection before is still there.
    left.push(client);
    if (stage.isCalm || random.chance(0.7)) for (const one of left.splice(0)) await one.close();
    await stage.clock.sleep(random.fraction() * 300);
  }
  for (const one of left) await one.close();
}

async function serve(play: Play, delivery: Delivery, mark: string): Promise<void> {
  const { stage, random, oracle } = play;
  const entry = oracle.ledger.byPayload(delivery.payload);
  if (entry === undefined) throw new Error(`${delivery.index} was never put`);
  await stage.clock.sleep(random.fraction() * 60);
  const isStream = delivery.deliveryId > 0;
  if (isStream && random.chance(0.1)) await settled(() => delivery.touch());
  if (isStream && random.chance(0.1)) await settled(() => delivery.progress('half of it'));
  const isCareless = random.chance(0.2);
  if (delivery.signal.aborted && !isCareless) return delivery.freed();
  const drawn = stage.isCalm ? 0 : random.fraction();
  const payload = resultPayload(entry, mark);
  // Over EAS a result is a put to the sink, which is not where those of home `record` go.
  const canPut = isStream || entry.home === 'sink';
  // Among equals nobody's result would be the one.
  const hasResult = oracle.groups.isWorked && canPut;
  if (drawn < 0.75 && hasResult) await settled(() => delivery.complete(payload));
  else if (drawn < 0.8 || !hasResult) await settled(() => delivery.commit());
  else if (drawn < 0.85 && hasResult) await settled(() => delivery.complete('', failure));
  else if (drawn < 0.92 || !isStream) await settled(() => delivery.negative({ code: '504' }));
  else if (drawn < 0.97)
    await settled(() => delivery.giveBack({ delayMs: random.between(0, 500) }));
  // The rest is forgotten: its connection or its idle time ends it.
}

const failure = { outcome: 'failed', code: '500', reason: 'the model said no' } as const;
