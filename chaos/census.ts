// The last count of a scenario, when everything is at rest: what is left in the queues is written
// into the ledger, so that a request that simply waits is not taken for a lost one.

import { EasCaller, type Frame, type QueueName } from './eas-caller.ts';
import type { Ledger } from './ledger.ts';
import { sawFrame } from './traffic.ts';

export interface CensusOptions {
  readonly url: string;
  readonly service: string;
  readonly ledger: Ledger;
}

const pageLength = 500;

/** Reads the input, the sink and the rear of a service and changes nothing there. */
export async function takeCensus({ url, service, ledger }: CensusOptions): Promise<void> {
  const eas = new EasCaller({ url, service });
  for (const { id } of await everything(eas, 'input')) ledger.waits(id);
  for (const frame of await everything(eas, 'sink')) sawFrame(ledger, frame);
  for (const { id } of await everything(eas, 'rear')) ledger.died(id);
}

async function everything(eas: EasCaller, queue: QueueName): Promise<readonly Frame[]> {
  const all: Frame[] = [];
  for (;;) {
    const from = (all.at(-1)?.index ?? 0) + 1;
    const page = await eas.list(queue, { from, length: pageLength });
    if (page.length === 0) return all;
    all.push(...page);
  }
}
