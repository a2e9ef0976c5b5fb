// One round: a job of a load program, with what it cost the server in processor time.

import type { Answer, Job, Target } from './load/jobs.ts';
import type { Loader } from './loader.ts';
import { cpuUs } from './process-figures.ts';
import { payloadBytes, service, token } from './sluice-server.ts';

export interface Round {
  readonly answer: Answer;
  readonly perSecond: number;
  /** Processor time for one operation, in microseconds. */
  readonly serverUs: number;
  readonly clientUs: number;
}

/** Where a job goes. */
export function targetOf(server: { readonly url: string }): Target {
  return { url: server.url, service, token, payloadBytes };
}

/** Runs a job once and looks at the clock of the server's process before and after. */
export async function measure(
  loader: Loader,
  server: { readonly pid: number },
  job: Job,
): Promise<Round> {
  const before = cpuUs(server.pid);
  const answer = await loader.run(job);
  const { done, seconds, total } = answer;
  return {
    answer,
    perSecond: done / seconds,
    serverUs: (cpuUs(server.pid) - before) / total,
    clientUs: answer.cpuUs / total,
  };
}
