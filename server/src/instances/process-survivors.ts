// What a killed server has left running, found by its records. A process whose number, start time
// and run of the machine are those of its record is the one that was started then, and may be gone
// on with; what is left of a group whose leader has ended is ended here.

import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Launch, Running, Survivor } from './driver.ts';
import { bootId, groupMembers, hasVariable, isSame } from './proc.ts';
import { endGroup } from './process-group.ts';
import type { ProcessRecord, ProcessRecords, RecordedLaunch } from './process-records.ts';

/** Stands in the environment of every process we start, with the instance's name. */
export const instanceVariable = 'SLUICE_INSTANCE';

export interface SurvivorHunt {
  readonly records: ProcessRecords;
  readonly clock: Clock;
  readonly log: Log;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  /** Goes on with the process of a record. */
  readonly adopt: (record: ProcessRecord, launch: Launch) => Promise<Running>;
}

/** Records of what does not run any more are removed, and half dead groups ended. */
export async function findSurvivors(hunt: SurvivorHunt): Promise<readonly Survivor[]> {
  const boot = bootId();
  const found: Survivor[] = [];
  const ends: Promise<void>[] = [];
  for (const record of await hunt.records.list(hunt.log)) {
    const isOfThisRun = record.bootId === boot;
    if (isOfThisRun && record.startTicks !== '' && isSame(record)) {
      if (record.launch === undefined) ends.push(endRecorded(hunt, record));
      else found.push(survivorOf(hunt, record, record.launch));
    } else if (isOfThisRun && isLeftover(record)) ends.push(endRecorded(hunt, record));
    else ends.push(hunt.records.remove(record.instance));
  }
  await Promise.all(ends);
  return found;
}

function survivorOf(hunt: SurvivorHunt, record: ProcessRecord, launch: RecordedLaunch): Survivor {
  const { service, instance } = record;
  return {
    service,
    instance,
    ...launch,
    adopt: async (order) => {
      if (!isSame(record)) throw new Error(`process ${record.pid} has ended`);
      return hunt.adopt(record, order);
    },
    end: () => endRecorded(hunt, record),
  };
}

async function endRecorded(hunt: SurvivorHunt, record: ProcessRecord): Promise<void> {
  const { records, clock, log, graceMs } = hunt;
  const { service, instance, pid } = record;
  if (isSame(record) || isLeftover(record)) {
    log.info({ service, instance, pid }, 'ending a process of an earlier server');
    const hurry = new AbortController().signal;
    const gone = await endGroup({ clock, group: pid, graceMs, hurry });
    if (!gone) log.error({ service, instance, pid }, 'a process of an earlier server stays');
  }
  await records.remove(instance);
}

/** Whether its leader is gone and others of its group are left, known by their environment. */
function isLeftover(record: ProcessRecord): boolean {
  const variable = `${instanceVariable}=${record.instance}`;
  const members = groupMembers(record.pid) ?? [];
  if (members.some(({ pid }) => pid === record.pid)) return false;
  return members.some(({ pid }) => hasVariable(pid, variable));
}
