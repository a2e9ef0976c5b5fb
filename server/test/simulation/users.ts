// What users of the SDK are told must agree with what passed at the queues: an accepted put is
// accepted, a refused one is not, and a result reaches one reader.

import type { Message, PutAnswer } from '@sluice/sdk';
import type { Answer } from './answer.ts';
import type { Entry, Ledger } from './ledger.ts';
import type { Stage } from './stage.ts';
import { fact } from './trace.ts';

interface Got {
  readonly by: string;
  readonly at: number;
}

export class Users {
  readonly #stage: Stage;
  readonly #ledger: Ledger;
  readonly #got = new Map<number, Got>();

  constructor(stage: Stage, ledger: Ledger) {
    this.#stage = stage;
    this.#ledger = ledger;
  }

  /** A put was settled; `isFirst`: no earlier call may have brought the same message. */
  put(entry: Entry, answer: Answer<PutAnswer>, isFirst: boolean): void {
    const { token } = entry;
    if (answer.kind === 'ok') {
      const { index, id } = answer.value;
      fact(entry.isAccepted, '1', `put ${token} was told accepted and was not`);
      fact(index === entry.index, '8', `put ${token} is ${entry.index} and was told ${index}`);
      fact(id === entry.id || id === '', '15', `put ${token} has the id ${entry.id}, not ${id}`);
    } else if (answer.kind === 'refused' && isFirst) {
      const text = `put ${token} is ${entry.index} and was told refused: ${answer.code}`;
      fact(!entry.isAccepted, '1', text);
    }
  }

  /** A reader has a message of the sink, and with auto delete nobody else gets it. */
  got(reader: string, message: Message, options: { readonly autoDelete: boolean }): void {
    const { index, id, payload } = message;
    this.#stage.note(`${reader} has ${index}`);
    const entry = this.#ledger.byId(id);
    fact(entry !== undefined, '3', `${reader} has sink ${index} of an unknown id ${id}`);
    const isMine = payload.length === 0 || this.#ledger.byPayload(payload) === entry;
    fact(isMine, '3', `${reader} has sink ${index} of ${entry.token} with a foreign payload`);
    const isSame = entry.resultIndex === index;
    fact(isSame, '5', `${reader} has ${index}, the result of ${entry.index} is another`);
    if (!options.autoDelete) return;
    const before = this.#got.get(index);
    this.#got.set(index, { by: reader, at: this.#stage.now });
    if (before === undefined) return;
    // Nobody can tell a reader whose answer was cut on its way from one that has it.
    const isExcused = !this.#stage.isSteadySince(before.at - answerMs);
    fact(isExcused, '13', `${before.by} had sink ${index}, and now ${reader} has it too`);
  }
}

/** Longer than an answer is on its way. */
const answerMs = 5_000;
