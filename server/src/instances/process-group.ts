// Ending a whole process group: first asked, then made to. A group outlives its leader, so that
// what a script has left in the background is ended with it.

import type { Clock } from '../kernel/clock.ts';
import { pause } from '../kernel/pause.ts';
import { groupMembers } from './proc.ts';

const pollMs = 25;
/** After SIGKILL; only a process stuck in the kernel takes longer, and nobody can end that. */
const killWaitMs = 10_000;

/** Sends a signal to every process of the group; false: there is none (any more). */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

export function groupIsAlive(group: number): boolean {
  const members = groupMembers(group);
  if (members !== undefined) return members.length > 0;
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

export interface GroupEnd {
  readonly clock: Clock;
  readonly group: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  /** Aborted: no more grace. */
  readonly hurry: AbortSignal;
}

/** Ends a group; true when nothing of it is left. */
export async function endGroup({ clock, group, graceMs, hurry }: GroupEnd): Promise<boolean> {
  const gone = (): boolean => !groupIsAlive(group);
  if (!hurry.aborted) {
    signalGroup(group, 'SIGTERM');
    // A stopped process would not see it before it goes on.
    signalGroup(group, 'SIGCONT');
    if (await waitFor(gone, { clock, forMs: graceMs, hurry })) return true;
  }
  signalGroup(group, 'SIGKILL');
  return waitFor(gone, { clock, forMs: killWaitMs, hurry: undefined });
}

interface Wait {
  readonly clock: Clock;
  readonly forMs: number;
  readonly hurry: AbortSignal | undefined;
}

/** Looks at a fact until it holds; false: the time is over, or it is urgent. */
async function waitFor(fact: () => boolean, { clock, forMs, hurry }: Wait): Promise<boolean> {
  const until = clock.now().mono + forMs;
  for (;;) {
    if (fact()) return true;
    const restMs = until - clock.now().mono;
    if (restMs <= 0 || hurry?.aborted) return false;
    await pause(clock, Math.min(pollMs, restMs), hurry);
  }
}
