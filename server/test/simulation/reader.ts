// Those who fetch results: by long polls with and without auto delete, by request id, and by
// watching the sink.

import type { GetRequest } from '../../src/broker/queues.ts';
import type { Play } from './play.ts';

const plainGet: Omit<GetRequest, 'by'> = {
  from: 0,
  length: 1,
  timeoutMs: 0,
  autoDelete: true,
  tags: new Map(),
  id: undefined,
};

export async function poll(play: Play, uid: string): Promise<void> {
  const { stage, random } = play;
  const by = { gid: 'eas', uid };
  while (!stage.isOver) {
    await stage.clock.sleep(random.fraction() * 60);
    const known = random.pick([...play.oracle.ledger.entries, undefined]);
    const byId = random.chance(0.3) && known?.id !== undefined;
    const request = {
      ...plainGet,
      by,
      length: random.between(1, 4),
      timeoutMs: random.between(0, 500),
      autoDelete: stage.isCalm || random.chance(0.8),
      id: byId ? known.id : undefined,
    };
    await fetch(play, request);
  }
}

async function fetch(play: Play, request: GetRequest): Promise<void> {
  const { stage, random } = play;
  const gone = new AbortController();
  const isImpatient = !stage.isCalm && random.chance(0.1);
  if (isImpatient) stage.clock.after(random.fraction() * 300, () => gone.abort());
  const answer = await stage.ask((queues) =>
    queues.get('sink', request, gone.signal).catch((error: unknown) => {
      if (gone.signal.aborted) return undefined;
      throw error;
    }),
  );
  if (answer.kind !== 'ok' || answer.value === undefined) return;
  await stage.clock.sleep(random.chance(0.5) ? 0 : random.fraction() * 30);
  if (stage.isCalm || random.chance(0.8)) answer.value.taken();
  else answer.value.cut();
}

/** Watches the sink and commits what it sees, mostly. */
export async function watchSink(play: Play, uid: string): Promise<void> {
  const { stage, random } = play;
  const by = { gid: 'readers', uid };
  while (!stage.isOver) {
    let isAlive = true;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    stage.onDeath(end);
    const take = async (index: number): Promise<void> => {
      await stage.clock.sleep(random.fraction() * 30);
      if (!isAlive || (!stage.isCalm && random.chance(0.1))) return;
      await stage.ask((queues) => queues.commit('sink', [index], by));
    };
    const request = { from: 0, indexOnly: false, autoCommit: false, tags: new Map() };
    const consumer = { by, kind: 'eas', window: 2, id: undefined, holding: [] } as const;
    const answer = await stage.ask((queues) =>
      queues.watch(
        'sink',
        { ...request, ...consumer },
        {
          deliver: ({ index }) => {
            if (!isAlive) return;
            take(index).catch((error: unknown) => {
              stage.failure ??= error;
            });
          },
          voided: () => undefined,
          closed: () => end(),
          buffered: () => 0,
        },
      ),
    );
    const { life } = stage;
    if (answer.kind === 'ok') {
      await Promise.race([ended, stage.clock.sleep(random.fraction() * 4_000)]);
      isAlive = false;
      if (stage.life === life && stage.queues !== undefined)
        await stage.ask(() => answer.value.close('cut'));
    }
    isAlive = false;
    await stage.clock.sleep(random.fraction() * 300);
  }
}
