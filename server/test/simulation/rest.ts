// What must be true once everything has come to rest: each accepted message has its record, each
// dead one lies in the rear queue, each result of home `record` is kept.

import type { Message } from '../../src/broker/queues.ts';
import type { RequestRecord } from '../../src/queue/record.ts';
import { readTerms } from '../../src/queue/terms.ts';
import type { Oracle } from './oracle.ts';
import type { Play } from './play.ts';
import { serviceNumber } from './service.ts';
import type { Stage } from './stage.ts';
import { fact } from './trace.ts';

const pageMax = 1_000;

export async function judgeRest({ stage, oracle, results }: Play): Promise<void> {
  const { clock } = stage;
  // Answers that are on their way arrive, and what was taken is deleted.
  const settled = stage.now + 5_000;
  while (stage.now < settled && (await clock.step(settled))) {
    if (stage.failure !== undefined) throw stage.failure;
  }
  const records = await allRecords(stage);
  results.verdict(records);
  await judgeKept(stage, oracle, records);
  await judgeOutbox(stage, records);
  const rear = await clock.run(stage.ask((queues) => queues.get('inputRear', all, undefined)));
  fact(rear.kind === 'ok', '10', 'the rear queue can not be read');
  judgeRear(stage, oracle, records, rear.value.messages);
}

const all = {
  from: 0,
  length: pageMax,
  timeoutMs: 0,
  autoDelete: false,
  tags: new Map(),
  id: undefined,
  by: { gid: 'audit', uid: 'auditor' },
};

async function allRecords({ disk }: Stage): Promise<ReadonlyMap<number, RequestRecord>> {
  const records = new Map<number, RequestRecord>();
  let from = 0;
  for (;;) {
    const page = await disk.records(serviceNumber, from, pageMax);
    for (const record of page) records.set(record.index, record);
    if (page.length < pageMax) return records;
    from = (page.at(-1)?.index ?? 0) + 1;
  }
}

/** Rule 12: a result of home `record` is there for as long as its record is. */
async function judgeKept(
  { disk }: Stage,
  { ledger }: Oracle,
  records: ReadonlyMap<number, RequestRecord>,
): Promise<void> {
  for (const entry of ledger.entries) {
    if (entry.home !== 'record' || !entry.hasResult || entry.index === undefined) continue;
    if (records.get(entry.index) === undefined) continue;
    const result = await disk.recordResult(serviceNumber, entry.index);
    fact(result !== undefined, '12', `the result of ${entry.index} is not kept`);
    const isMine = result.length === 0 || ledger.byPayload(result) === entry;
    fact(isMine, '12', `the result kept of ${entry.index} is another's`);
  }
}

/** Rule 4: whoever asked to be told is written down with the end of the request, nobody else. */
async function judgeOutbox(
  { disk }: Stage,
  records: ReadonlyMap<number, RequestRecord>,
): Promise<void> {
  const owed = new Set<number>();
  for (const { index } of await disk.outbox(serviceNumber, 0, pageMax)) owed.add(index);
  for (const { index, terms } of records.values()) {
    const isOwed = readTerms(terms).callback !== undefined;
    fact(isOwed === owed.has(index), '4', `the callback of ${index} is owed: ${isOwed}`);
  }
}

/** Rule 10. */
function judgeRear(
  { settings }: Stage,
  { ledger, limits }: Oracle,
  records: ReadonlyMap<number, RequestRecord>,
  rear: readonly Message[],
): void {
  const found = new Set<number>();
  for (const { index, tags, payload } of rear) {
    const source = Number(tags.get('sourceIndex'));
    const record = records.get(source);
    found.add(source);
    fact(ledger.byIndex(source)?.redriven !== 'yes', '10', `${source} is dead and was put anew`);
    const isMine = ledger.byPayload(payload) === ledger.byIndex(source);
    fact(isMine, '10', `rear ${index} of ${source} has a foreign payload`);
    fact(record?.state === 'dead', '10', `rear ${index} of ${source}, which is not dead`);
    const isCounted = Number(tags.get('deliveryCount')) === record.deliveries;
    fact(isCounted, '10', `rear ${index} of ${source} tells a wrong number of deliveries`);
  }
  const dead = [...records.values()].filter(({ state }) => state === 'dead');
  const room = Math.max(1, Math.floor(limits.capacityMin.source / 10));
  if (settings.deadPolicy === 'Drop') {
    fact(rear.length === 0, '10', `${rear.length} dead messages were kept`);
  } else if (dead.length <= room) {
    const isAway = (index: number): boolean => (ledger.byIndex(index)?.redriven ?? 'no') !== 'no';
    const lost = dead.find(({ index }) => !found.has(index) && !isAway(index));
    fact(lost === undefined, '10', `the dead ${lost?.index} is not in the rear queue`);
  }
}
