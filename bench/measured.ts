// One round: a job of a load program, with what it cost the server in processor time.

import { type Figure, figure } from './figures.ts';
import type { Answer, Job, Target } from './load/jobs.ts';
import type { Loader } from './loader.ts';
import { cpuUs, mainThreadUs } from './process-figures.ts';
import { payloadBytes, service, token } from './sluice-server.ts';

export interface Round {
  readonly answer: Answer;
  readonly perSecond: number;
  /** Processor time for one operation, in microseconds. */
  readonly serverUs: number;
  /** Of that, in the thread that runs JavaScript. */
  readonly loopUs: number;
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
  const before = { cpu: cpuUs(server.pid), loop: mainThreadUs(server.pid) };
  const answer = await loader.run(job);
  const { done, seconds, total } = answer;
  return {
    answer,
    perSecond: done / seconds,
    serverUs: (cpuUs(server.pid) - before.cpu) / total,
    loopUs: (mainThreadUs(server.pid) - before.loop) / total,
    clientUs: answer.cpuUs / total,
  };
}

/** What explains a rate: the processor time of both ends, and how long an operation took. */
export function explain(name: string, rounds: readonly Round[]): readonly Figure[] {
  const of = (value: (round: Round) => number): number[] => rounds.map(value);
  const p50 = of(({ answer }) => answer.p50Ms);
  const p99 = of(({ answer }) => answer.p99Ms);
  const server = of((round) => round.serverUs);
  const loop = of((round) => round.loopUs);
  const client = of((round) => round.clientUs);
  return [
    figure(`${name}_ms.p50`, 'ms', p50),
    figure(`${name}_ms.p99`, 'ms', p99),
    figure(`${name}_cpu_us.server`, 'us', server),
    figure(`${name}_cpu_us.server_loop`, 'us', loop),
    figure(`${name}_cpu_us.client`, 'us', client),
  ];
}

/** Operations a second. */
export function rates(rounds: readonly Round[]): number[] {
  return rounds.map((round) => round.perSecond);
}
