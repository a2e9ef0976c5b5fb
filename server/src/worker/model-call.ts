// One call to the model from its request to its result: with an address for reports, what is
// streamed passed on, and after a cut a moment for word of the instance's death.

import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { ResultKeeper } from './body.ts';
import type { Call } from './call.ts';
import type { ModelClient, ModelRequest, ModelResult } from './model.ts';
import type { ReportAddresses } from './report-desk.ts';
import type { WorkNews, WorkSource } from './source.ts';
import { Teller } from './teller.ts';

export interface ModelCallOptions {
  readonly source: WorkSource;
  readonly model: ModelClient;
  readonly news: WorkNews | undefined;
  /** undefined: the model cannot reach it. */
  readonly reports: ReportAddresses | undefined;
  readonly cutGraceMs: number;
  /** Aborted when the instance is known to be dead. */
  readonly death: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CallLimits {
  readonly keepaliveMs: number;
  readonly answerBytesMax: number;
  /** Takes a larger result; undefined: it is refused. */
  readonly keeper: ResultKeeper | undefined;
}

/** Where the model reports how this call goes. */
export const reportHeader = 'sluice-report-url';
/** Where the checkpoint of an earlier delivery is, when there is one. */
export const checkpointHeader = 'sluice-checkpoint-url';

export class ModelCalls {
  readonly #options: ModelCallOptions;

  constructor(options: ModelCallOptions) {
    this.#options = options;
  }

  /** Calls the model; whoever ends `call` ends it. */
  async run(call: Call, request: ModelRequest, limits: CallLimits): Promise<ModelResult> {
    const { reports, model, cutGraceMs } = this.#options;
    let teller: Teller | undefined;
    const telling = (): Teller => {
      teller ??= new Teller(call.delivery, this.#options);
      return teller;
    };
    const url = reports === undefined ? undefined : this.#open(reports, call, telling);
    const isAgain = call.delivery.deliveries > 1 && url !== undefined;
    const headers =
      url === undefined ? request.headers : { ...request.headers, [reportHeader]: url };
    const whole = url === undefined ? request : { ...request, headers };
    const sent = isAgain ? await this.#withCheckpoint(call, whole, url) : whole;
    call.limit(limits.keepaliveMs);
    const result = await model.call(sent, {
      signal: call.signal,
      answerBytesMax: limits.answerBytesMax,
      keeper: limits.keeper,
      onOutput: (contentType, piece) => telling().output(contentType, piece),
    });
    if (url !== undefined) reports?.close(url);
    teller?.stop();
    const isBroken = result.kind === 'cut' || result.kind === 'refused';
    if (isBroken && cutGraceMs > 0) await this.#wordOfDeath(call);
    return result;
  }

  #open(reports: ReportAddresses, call: Call, telling: () => Teller): string | undefined {
    const { source } = this.#options;
    const { deliveryId, index } = call.delivery;
    return reports.open({
      report: (notes) => {
        if (call.ending === undefined) telling().report(notes);
      },
      keep: (checkpoint) => {
        if (source.checkpoint === undefined) throw noCheckpoints();
        return source.checkpoint(deliveryId, checkpoint);
      },
      checkpoint: async () => source.checkpointOf?.(index),
    });
  }

  /** Only a request that was delivered before can have one. */
  async #withCheckpoint(call: Call, request: ModelRequest, url: string): Promise<ModelRequest> {
    const { source, log } = this.#options;
    const { index } = call.delivery;
    const found = await source.checkpointOf?.(index).catch((error: unknown) => {
      log.warn({ index, error }, 'checkpoint not read');
      return undefined;
    });
    if (found === undefined) return request;
    const headers = { ...request.headers, [checkpointHeader]: `${url}/checkpoint` };
    return { ...request, headers };
  }

  /** A process closes its sockets a moment before its end is seen. */
  #wordOfDeath(call: Call): Promise<void> {
    const { death, clock, cutGraceMs } = this.#options;
    return new Promise((resolve) => {
      if (death.aborted || call.ending !== undefined) return resolve();
      const done = (): void => {
        timer.cancel();
        death.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.after(cutGraceMs, done);
      death.addEventListener('abort', done, { once: true });
    });
  }
}

function noCheckpoints(): PlatformError {
  return new PlatformError('not_found', 'no checkpoints are kept here');
}
