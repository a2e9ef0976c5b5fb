// Waiting until a service is what a command made of it: progress lines in the words of eascmd, and
// a verdict with its reason when it does not come up. The service goes on whatever happens here.

import type { AdminClient, InstanceInfo, ServiceDescription } from '@sluice/sdk';
import { showDuration } from '../config/duration.ts';
import { CommandError, type Context, pause } from './context.ts';
import { printable } from './tables.ts';

const pollMs = 250;

/** A crash may be passed through: a service that has failed for so long needs a person. */
const settledAfterMs = 5000;

/** How many instances that are not ready a verdict names. */
const namedMax = 3;

/** How many of the last lines of an instance a verdict quotes. */
const quotedLines = 5;

export interface WaitOptions {
  readonly timeoutMs: number;
  /** The revision that is to run; 0: whichever is the newest. */
  readonly revision: number;
  /** Put before each line where several services are waited for. */
  readonly speaker?: string;
}

type Verdict =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'waiting' }
  /** Nothing more comes of waiting, if it stays so. */
  | { readonly kind: 'stuck'; readonly text: string };

/** Resolves when all wanted instances of the service run, or when it is stopped and so has none;
 * throws a `CommandError` that says why it has not come to that. */
export function waitUntilRunning(
  context: Context,
  client: AdminClient,
  name: string,
  options: WaitOptions,
): Promise<ServiceDescription> {
  return waited(context, client, name, options, running);
}

/** Resolves when the service is stopped. */
export function waitUntilStopped(
  context: Context,
  client: AdminClient,
  name: string,
  options: WaitOptions,
): Promise<ServiceDescription> {
  return waited(context, client, name, options, stopped);
}

async function waited(
  context: Context,
  client: AdminClient,
  name: string,
  options: WaitOptions,
  judge: (service: ServiceDescription) => Verdict,
): Promise<ServiceDescription> {
  try {
    return await new Watcher(context, client, name, options).until(judge);
  } catch (error) {
    if (context.interrupted.aborted) {
      context.output.note(`The service goes on without us: sluice desc ${name} shows how it is`);
    }
    throw error;
  }
}

class Watcher {
  readonly #context: Context;
  readonly #client: AdminClient;
  readonly #name: string;
  readonly #options: WaitOptions;
  readonly #startedAt: number;
  #stuckSince: number | undefined;
  #told = '';

  constructor(context: Context, client: AdminClient, name: string, options: WaitOptions) {
    this.#context = context;
    this.#client = client;
    this.#name = name;
    this.#options = options;
    this.#startedAt = context.clock.now().mono;
  }

  async until(judge: (service: ServiceDescription) => Verdict): Promise<ServiceDescription> {
    for (;;) {
      const service = await this.#client.service(this.#name);
      await this.#checkRevision(service);
      const verdict = judge(service);
      if (verdict.kind === 'done') {
        this.#say(verdict.text);
        return service;
      }
      this.#tell(service);
      const { mono } = this.#context.clock.now();
      this.#stuckSince = verdict.kind === 'stuck' ? (this.#stuckSince ?? mono) : undefined;
      if (verdict.kind === 'stuck' && mono - (this.#stuckSince ?? mono) >= settledAfterMs) {
        throw new CommandError(await this.#explained(verdict.text));
      }
      if (mono - this.#startedAt >= this.#options.timeoutMs) {
        throw new CommandError(await this.#explained(`${situation(service)}; not waiting longer`));
      }
      await pause(this.#context, pollMs);
    }
  }

  /** A line for each change of the numbers; on a terminal also what it waits for. */
  #tell(service: ServiceDescription): void {
    const { clock, output } = this.#context;
    const counts = countsOf(service);
    if (counts !== this.#told) this.#say(counts);
    this.#told = counts;
    const elapsed = Math.round((clock.now().mono - this.#startedAt) / 1000) * 1000;
    output.progress(situation(service), ` (${showDuration(elapsed)})`);
  }

  #say(text: string): void {
    const { speaker } = this.#options;
    this.#context.output.ok(speaker === undefined ? text : `${speaker}: ${text}`);
  }

  /** Throws when another revision has taken the place of the one that is waited for. */
  async #checkRevision(service: ServiceDescription): Promise<void> {
    const { revision } = this.#options;
    if (revision === 0 || service.revision <= revision) return;
    const next = (await this.#client.revisions(this.#name)).find(
      (each) => each.revision > revision,
    );
    if (next === undefined) return;
    const isTakenBack = next.text.startsWith('rolled back');
    const what = isTakenBack ? next.text : `replaced by revision ${next.revision}, ${next.text}`;
    const where = `(sluice events ${this.#name} tells each step)`;
    throw new CommandError(`revision ${revision} was ${what} ${where}`);
  }

  /** The text, with what each instance lacks, the last words of one that ended, and where to look
   * further. */
  async #explained(text: string): Promise<string> {
    const name = this.#name;
    const instances = await this.#client.instances(name).catch((): readonly InstanceInfo[] => []);
    const lacking = instances
      .filter(({ ready, message }) => !ready && message !== '' && !text.includes(message))
      .slice(0, namedMax)
      .map((each) => printable(`${each.name} is ${each.state}: ${each.message}`));
    const ended = instances.find(({ lastExit }) => lastExit !== null && lastExit.lines.length > 0);
    const words = (ended?.lastExit?.lines ?? []).slice(-quotedLines).map(quote);
    const hasBegun = instances.some(({ ready, startedAt }) => !ready && startedAt !== '');
    const where = hasBegun ? ` (sluice logs ${name} shows what it wrote)` : '';
    return [
      `${text}${where}`,
      ...lacking,
      ...(ended === undefined ? [] : [`the last that ${ended.name} wrote:`, ...words]),
    ].join('\n');
  }
}

function running(service: ServiceDescription): Verdict {
  const { status, rollout } = service;
  if (status === 'Stopped') return { kind: 'done', text: 'Service is stopped' };
  if (rollout.state === 'failed') return { kind: 'stuck', text: rollout.text };
  if (status === 'Running') return { kind: 'done', text: 'Service is running' };
  if (status === 'Failed') return { kind: 'stuck', text: situation(service) };
  if (status === 'Pending') {
    return { kind: 'stuck', text: `${situation(service)}; its queues take requests` };
  }
  return { kind: 'waiting' };
}

function stopped({ status }: ServiceDescription): Verdict {
  return status === 'Stopped' ? { kind: 'done', text: 'Service is stopped' } : { kind: 'waiting' };
}

function countsOf({ instances, status }: ServiceDescription): string {
  const { wanted, running: ready, pending } = instances;
  const word = status === 'Stopping' ? 'Stopping' : 'Waiting';
  const total = Math.max(wanted, ready + pending);
  return `${word} [Total: ${total}, Pending: ${pending}, Running: ${ready}]`;
}

function situation({ status, instances, message, running }: ServiceDescription): string {
  const why = message === '' ? '' : `: ${message}`;
  if (status !== 'Stopping') {
    return `Service is ${status} (${instances.running} of ${instances.wanted} instances)${why}`;
  }
  const requests = running === 1 ? '1 running request' : `${running} running requests`;
  return `Service is Stopping (${requests})${why}`;
}

function quote(line: string): string {
  return `  ${printable(line)}`;
}
