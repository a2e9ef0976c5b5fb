// Those who fetch results: by long polls with and without auto delete, by request id, and by
// watching the sink.

import type { GetRequest, Handout, Message } from '../../src/broker/queues.ts';
import type { ResultNote } from './ledger.ts';
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
  if (isImpatient) stage.clock.after(random.fraction() * 300, () => giveUp(play, gone));
  const askedAt = stage.now;
  const answer = await stage.ask((queues) =>
    queues.get('sink', request, gone.signal).catch((error: unknown) => {
      if (gone.signal.aborted) return undefined;
      throw error;
    }),
  );
  if (answer.kind !== 'ok' || answer.value === undefined) return;
  const { life } = stage;
  const notes = answer.value.messages.map((message) => see(play, message, request, askedAt));
  await stage.clock.sleep(random.chance(0.5) ? 0 : random.fraction() * 30);
  if (stage.life !== life || stage.queues === undefined) return;
  finish(play, answer.value, notes, request);
}

function giveUp({ results }: Play, gone: AbortController): void {
  results.aborts += 1;
  gone.abort();
}

function see(play: Play, message: Message, request: GetRequest, askedAt: number): ResultNote {
  const { stage, results } = play;
  stage.note(`get sink ${message.index}${request.autoDelete ? ' with auto delete' : ''}`);
  const note = results.seen(message, { by: request.autoDelete ? 'take' : 'get', askedAt });
  if (request.autoDelete) note.hiddenSince = stage.now;
  return note;
}

function finish(
  { stage, random }: Play,
  handout: Handout,
  notes: readonly ResultNote[],
  request: GetRequest,
): void {
  const isTaken = stage.isCalm || random.chance(0.8);
  const indexes = notes.map(({ index }) => index).join(' ');
  stage.note(`${isTaken ? 'took' : 'cut'} [${indexes}]`);
  for (const note of notes) {
    if (!request.autoDelete) continue;
    const { hiddenSince } = note;
    note.hiddenSince = undefined;
    note.shownAt = stage.now;
    if (!isTaken) continue;
    note.takenSince = hiddenSince ?? 0;
    note.removals += 1;
    note.takenAt = stage.now;
  }
  if (isTaken) handout.taken();
  else handout.cut();
}

/** Watches the sink and commits what it sees, mostly. */
export async function watchSink(play: Play, uid: string): Promise<void> {
  const { stage, results, random } = play;
  const by = { gid: 'readers', uid };
  while (!stage.isOver) {
    let isAlive = true;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    stage.onDeath(end);
    const take = async (note: ResultNote): Promise<void> => {
      await stage.clock.sleep(random.fraction() * 30);
      if (!isAlive || (!stage.isCalm && random.chance(0.1))) return;
      note.removals += 1;
      const answer = await stage.ask((queues) => queues.commit('sink', [note.index], by));
      if (answer.kind !== 'ok') return;
      note.isGone = true;
      note.takenSince = stage.now;
      note.takenAt ??= stage.now;
    };
    const request = { from: 0, indexOnly: false, autoCommit: false, tags: new Map() };
    const consumer = { by, kind: 'eas', window: 2, id: undefined, holding: [] } as const;
    const answer = await stage.ask((queues) =>
      queues.watch(
        'sink',
        { ...request, ...consumer },
        {
          deliver: (delivery) => {
            if (!isAlive) return;
            stage.note(`deliver sink ${delivery.index} to ${uid}`);
            try {
              take(results.seen(delivery, { by: 'watch' })).catch((error: unknown) => {
                stage.failure ??= error;
              });
            } catch (error) {
              stage.failure ??= error;
            }
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
