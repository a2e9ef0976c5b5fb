// Waiting for one request with a line that says where it stands. The request goes on whatever
// happens here.

import type { RequestClient, RequestInfo } from '@sluice/sdk';
import { showDuration } from '../config/duration.ts';
import { CommandError, type Context } from './context.ts';
import { waitText } from './requests.ts';
import { printable } from './tables.ts';

/** Resolves once it is at rest; throws when that takes longer than `timeoutMs`. */
export async function followToRest(
  context: Context,
  requests: RequestClient,
  id: string,
  timeoutMs: number | undefined,
): Promise<RequestInfo | undefined> {
  const { clock, interrupted, output } = context;
  const over = new AbortController();
  const stop = (): void => over.abort(interrupted.reason);
  interrupted.addEventListener('abort', stop, { once: true });
  const late = new CommandError(
    `request ${id} is not done after ${showDuration(timeoutMs ?? 0)}; ` +
      `it goes on: sluice result ${requests.service} ${id} --wait`,
  );
  const timer =
    timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => over.abort(late));
  let last: RequestInfo | undefined;
  try {
    if (interrupted.aborted) stop();
    for await (last of requests.changes(id, { signal: over.signal })) {
      show(context, last);
    }
    output.endProgress();
    return last;
  } catch (error) {
    if (interrupted.aborted) {
      output.note(`The request goes on: sluice result ${requests.service} ${id} --wait`);
    }
    throw error;
  } finally {
    timer?.cancel();
    interrupted.removeEventListener('abort', stop);
  }
}

/** Only what changes seldom is a line of its own where nobody looks at a terminal. */
function show({ output }: Context, info: RequestInfo): void {
  const { state, instance, progress } = info;
  if (state === 'queued') output.progress('Queued', printable(`: ${waitText(info)}`));
  else if (state === 'running') {
    const told = progress === null ? '' : `: ${progress.trimEnd().split('\n').at(-1)}`;
    output.progress(printable(`Running on ${instance}`), printable(told));
  }
}
