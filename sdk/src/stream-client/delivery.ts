// A delivery over the stream protocol, settled by its fencing token.

import { PlatformError } from '../errors.ts';
import { bytesOf, checkHead, checkWhole } from '../inputs.ts';
import type {
  CallOptions,
  CompleteOptions,
  Delivery,
  GiveBackOptions,
  NegativeOptions,
  Payload,
} from '../queue-client.ts';
import type { Deliver, ServerOperation } from '../stream/operations.ts';
import { noTags, type Tags } from '../tags.ts';
import type { EndingLease, NumberedOperation } from './pending.ts';
import type { StreamSession } from './session.ts';

/** What a delivery needs of its watch; the same for all of a watch. */
export interface DeliveryHome {
  readonly session: StreamSession;
  readonly channel: number;
  /** The lease has ended. */
  settled(delivery: StreamDelivery): void;
}

const noBytes = new Uint8Array(0);
const noOptions = {} as const;

export class StreamDelivery implements Delivery, EndingLease {
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly payload: Uint8Array;
  readonly priority: number;
  readonly acceptedAt: number;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
  readonly deliveryId: number;
  readonly deliveries: number;
  readonly #home: DeliveryHome;
  #controller: AbortController | undefined;
  #voided: PlatformError | undefined;
  #settling = 0;

  constructor(operation: Deliver, payload: Uint8Array, home: DeliveryHome) {
    this.index = operation.index;
    this.id = operation.id;
    this.tags = operation.tags;
    this.payload = payload;
    this.priority = operation.priority;
    this.acceptedAt = operation.acceptedAt;
    this.contentType = operation.contentType;
    this.path = operation.path;
    this.deliveryId = operation.deliveryId;
    this.deliveries = operation.deliveries;
    this.#home = home;
  }

  /** A call that ends the lease is under way. */
  get isSettling(): boolean {
    return this.#settling > 0;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#voided !== undefined) this.#controller.abort(this.#voided);
    return this.#controller.signal;
  }

  commit(options?: CallOptions): Promise<void> {
    // Committed by being delivered.
    if (this.deliveryId === 0) return Promise.resolve();
    const { session, channel } = this.#home;
    const { deliveryId } = this;
    const number = session.number();
    return this.#end({ kind: 'commit', number, channel, deliveryId, again: false }, options);
  }

  complete(payload: Payload = noBytes, options: CompleteOptions = noOptions): Promise<number> {
    try {
      return this.#complete(payload, options);
    } catch (error) {
      // As in an async function, without its further promises for each message.
      return Promise.reject(error);
    }
  }

  #complete(payload: Payload, options: CompleteOptions): Promise<number> {
    const refusal = this.#refusal;
    if (refusal !== undefined) throw refusal;
    const { outcome = 'succeeded', code = '', reason = '', contentType } = options;
    const firstOutputAt = Math.floor(options.firstOutputAt ?? 0);
    checkHead(noTags, code, reason, contentType);
    checkWhole('An instant', firstOutputAt, 0);
    const { session, channel } = this.#home;
    const bytes = bytesOf(payload);
    const operation = {
      kind: 'complete',
      number: session.number(),
      channel,
      deliveryId: this.deliveryId,
      again: false,
      outcome,
      code,
      reason,
      contentType,
      firstOutputAt,
      payload: bytes,
      transfer: 0,
      size: bytes.length,
    } as const;
    this.#settling += 1;
    return session.call({
      operation,
      payload: bytes,
      repeatable: true,
      options,
      take: resultIndexOf,
      lease: this,
    });
  }

  negative(options: NegativeOptions = {}): Promise<void> {
    return this.giveBack({ ...options, counted: options.code !== 'Shutdown' });
  }

  giveBack(options: GiveBackOptions = {}): Promise<void> {
    const { session, channel } = this.#home;
    const operation = {
      kind: 'giveBack',
      number: session.number(),
      channel,
      deliveryId: this.deliveryId,
      again: false,
      counted: options.counted ?? false,
      occupies: false,
      code: options.code ?? '',
      reason: options.reason ?? '',
      delayMs: options.delayMs ?? 0,
    } as const;
    return this.#end(operation, options);
  }

  progress(text: string, options?: CallOptions): Promise<void> {
    const { session, channel } = this.#home;
    const { deliveryId } = this;
    const number = session.number();
    return this.#say(
      { kind: 'progress', number, channel, deliveryId, text, from: 0, notes: [] },
      options,
    );
  }

  touch(options?: CallOptions): Promise<void> {
    const { session, channel } = this.#home;
    const { deliveryId } = this;
    return this.#say({ kind: 'touch', number: session.number(), channel, deliveryId }, options);
  }

  freed(): void {
    const { session, channel } = this.#home;
    session.say({ kind: 'freed', channel, deliveryId: this.deliveryId });
  }

  /** The lease was taken away. */
  void(reason: string): void {
    const text = `The lease of message ${this.index} was taken away: ${reason}.`;
    this.#voided ??= new PlatformError('stale_delivery', text);
    this.#controller?.abort(this.#voided);
  }

  /** The call that ends the lease has succeeded. */
  ended(): void {
    this.#settling -= 1;
    this.#home.settled(this);
  }

  /** The call that was to end the lease has failed. */
  failed(error: unknown): void {
    this.#settling -= 1;
    if (!(error instanceof PlatformError) || error.code !== 'stale_delivery') return;
    this.void(error.message);
    this.#home.settled(this);
  }

  /** Says what ends the lease. */
  #end(operation: NumberedOperation, options: CallOptions | undefined): Promise<void> {
    const refusal = this.#refusal;
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#settling += 1;
    const take = nothing;
    return this.#home.session.call({ operation, repeatable: true, options, take, lease: this });
  }

  #say(operation: NumberedOperation, options: CallOptions | undefined): Promise<void> {
    const refusal = this.#refusal;
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#home.session.call({ operation, repeatable: true, options, take: nothing });
  }

  /** Why nothing can be said about the lease any more. */
  get #refusal(): PlatformError | undefined {
    if (this.deliveryId !== 0) return this.#voided;
    return new PlatformError('not_allowed', 'A message of a watch with auto commit has no lease.');
  }
}

function nothing(): void {}

function resultIndexOf(answer: ServerOperation): number {
  return answer.kind === 'completed' ? answer.value : 0;
}
