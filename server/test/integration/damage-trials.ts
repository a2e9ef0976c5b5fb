// Tries damages of a data folder out in a process that may crash, and says what each came to.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Damage, Order, Outcome, Word } from './damage-subject.ts';

export interface Trial {
  readonly damage: Damage;
  readonly outcome: Outcome;
}

/** In the order of the damages. A check that crashes has found something, as in the product, where
 * it is a child process; a server that crashes is a fault. */
export async function tryDamages(
  order: Omit<Order, 'from' | 'older'> & { readonly older?: string },
  tried?: (trial: Trial) => void,
): Promise<readonly Trial[]> {
  const trials: Trial[] = [];
  const add = (outcome: Outcome): void => {
    const damage = order.damages[trials.length];
    if (damage === undefined) throw new Error('more outcomes than damages');
    const trial = { damage, outcome };
    trials.push(trial);
    tried?.(trial);
  };
  while (trials.length < order.damages.length) {
    let stage = 'check';
    const script = fileURLToPath(new URL('damage-subject.ts', import.meta.url));
    const subject = fork(script, [JSON.stringify({ older: '', ...order, from: trials.length })], {
      execArgv: ['--conditions=source', '--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    subject.on('message', (message) => {
      // Only the script speaks on this channel.
      const word = message as Word;
      if (word.kind === 'stage') stage = word.stage;
      else add(word.outcome);
    });
    const [code, signal] = await once(subject, 'close');
    if (trials.length === order.damages.length) break;
    if (stage === 'check') add({ kind: 'found', by: 'verify' });
    else add({ kind: 'fault', what: `the server ended with ${signal ?? code}` });
  }
  return trials;
}
