// A client of the request API: submits once by a key, however often it has to ask, with a delay, a
// deadline or a wish to be told; and tries a key with another body.

import { noTerms, type RequestTerms, writeTerms } from '../../src/queue/terms.ts';
import { payloadOf } from './ledger.ts';
import { type Play, plainPut } from './play.ts';
import type { SeededRandom } from './seeded-random.ts';
import { fact } from './trace.ts';

export async function request({ stage, oracle, random }: Play, name: string): Promise<void> {
  let count = 0;
  const paceMs = random.pick([20, 80]);
  while (!stage.isCalm) {
    await stage.clock.sleep(random.fraction() * paceMs);
    count += 1;
    const key = `${name}-${count}`;
    const how = { home: 'record', priority: 0, callerId: undefined, isPoison: false } as const;
    const entry = oracle.putAsked({ ...how, key });
    const terms = drawTerms(random, stage.clock.now().wall);
    // It may wait longer than others, and be over without anybody's doing.
    if (terms.delayUntil > 0) entry.causes.add('delayed');
    if (terms.finishBy > 0) entry.causes.add('deadline');
    const asked = {
      ...plainPut(payloadOf(entry), { gid: '', uid: '' }),
      home: 'record',
      owner: name,
      idempotencyKey: key,
      terms: writeTerms(terms),
    } as const;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const answer = await stage.ask((queues) => queues.put('input', asked));
      if (answer.kind === 'refused' || (answer.kind === 'ok' && random.chance(0.8))) break;
      await stage.clock.sleep(random.fraction() * 300);
    }
    if (!entry.isAccepted || !random.chance(0.2)) continue;
    const other = { ...asked, payload: new TextEncoder().encode('another body') };
    const answer = await stage.ask((queues) => queues.put('input', other));
    fact(answer.kind !== 'ok', '15', `key ${key} was taken for another body`);
    const isTold = answer.code === 'key_reused' || answer.kind === 'unknown' || isAway(answer.code);
    fact(isTold, '15', `key ${key} with another body was refused: ${answer.code}`);
  }
}

/** The service recovers, or its disk is full: nothing is said of the key. */
function isAway(code: string): boolean {
  return ['unavailable', 'outcome_unknown', 'disk_full', 'rate_limited'].includes(code);
}

function drawTerms(random: SeededRandom, wall: number): RequestTerms {
  return {
    ...noTerms,
    delayUntil: random.chance(0.2) ? wall + random.between(50, 2_000) : 0,
    finishBy: random.chance(0.1) ? wall + random.between(50, 3_000) : 0,
    callback: random.chance(0.3) ? { url: 'https://example.org/done', events: [] } : undefined,
  };
}
