// A load program: does one job after another as the benchmark sends them, and ends with it.

import { post } from './http.ts';
import type { Answer, Job, Reply } from './jobs.ts';
import { cycles, dispatch, empty, fill, firstDelivery, put } from './sdk.ts';

function run(job: Job): Promise<Answer> {
  switch (job.kind) {
    case 'post':
      return post(job);
    case 'put':
      return put(job);
    case 'fill':
      return fill(job);
    case 'empty':
      return empty(job);
    case 'cycles':
      return cycles(job);
    case 'dispatch':
      return dispatch(job);
    case 'firstDelivery':
      return firstDelivery(job);
  }
}

const send = (reply: Reply): void => void process.send?.(reply);

// The channel carries what bench/loader.ts sends: jobs.
process.on('message', (job: Job) => {
  run(job).then(
    (answer) => send({ answer }),
    (error: unknown) => send({ error: error instanceof Error ? `${error.stack}` : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
