// A client that hands requests over, and repeats a put whose answer it never saw.

import { payloadOf } from './ledger.ts';
import { type Play, plainPut } from './play.ts';

export async function submit({ stage, oracle, random }: Play, name: string): Promise<void> {
  let count = 0;
  const paceMs = random.pick([5, 20, 80]);
  const poisonShare = random.pick([0, 0, 0.05, 0.3]);
  while (!stage.isCalm) {
    await stage.clock.sleep(random.fraction() * paceMs);
    count += 1;
    const priority = random.chance(0.2) ? random.between(1, 3) : 0;
    const home = random.chance(0.2) ? 'record' : 'sink';
    const callerId = random.chance(0.5) ? `${name}-${count}` : undefined;
    const isPoison = random.chance(poisonShare);
    const entry = oracle.putAsked({ home, priority, callerId, isPoison });
    const plain = plainPut(payloadOf(entry), { gid: 'eas', uid: name });
    const request = { ...plain, id: callerId, home, priority } as const;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const answer = await stage.ask((queues) => queues.put('input', request));
      // Only a put with an id of the caller's own is safe to repeat.
      const wantsMore = answer.kind === 'unknown' || random.chance(0.1);
      if (callerId === undefined || answer.kind === 'refused' || !wantsMore) break;
      await stage.clock.sleep(random.fraction() * 300);
    }
  }
}
