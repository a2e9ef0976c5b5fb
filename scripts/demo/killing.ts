// Kills an instance of the example in the middle of its work, and makes sure that it was.

import type { AdminClient } from '@sluice/sdk';
import { readJournal, type Work } from './journal.ts';

/** An instance that was killed while it read a page. */
export interface Killed {
  readonly instance: string;
  readonly pid: number;
  /** The request that it had begun and not finished. */
  readonly request: string;
}

/**
 * Ends the instance that has begun a request last, with SIGKILL. Undefined when none works just
 * now, or when it was done with the request before the signal came: then try again.
 */
export async function killAtWork(admin: AdminClient, service: string): Promise<Killed | undefined> {
  const work = (await readJournal(admin, service)).findLast(isUnfinished);
  if (work === undefined) return undefined;
  const instances = await admin.instances(service);
  const pid = instances.find(({ name }) => name === work.instance)?.pid ?? 0;
  if (pid === 0) return undefined;
  // The whole process group, so that nothing of the instance goes on.
  process.kill(-pid, 'SIGKILL');
  const after = (await readJournal(admin, service)).find((each) => isSame(each, work));
  if (after === undefined || !isUnfinished(after)) return undefined;
  return { instance: work.instance, pid, request: work.request };
}

function isUnfinished({ finishedAt }: Work): boolean {
  return finishedAt === undefined;
}

function isSame(one: Work, other: Work): boolean {
  return one.request === other.request && one.delivery === other.delivery;
}
