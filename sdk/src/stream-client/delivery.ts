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
import type { NumberedOperation } from './pending.ts';
import type { StreamSession } from './session.ts';

/** What a delivery needs of its watch. */
export interface DeliveryHome {
  readonly session: StreamSession;
  readonly channel: number;
  /** The lease has ended. */
  settled(delivery: StreamDelivery): void;
}

const noBytes = new Uint8Array(0);

export class StreamDelivery implements Delivery {
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
    return this.#settle(
      this.#say({ kind: 'commit', number, channel, deliveryId, again: false }, options),
    );
  }

  async complete(payload: Payload = noBytes, options: CompleteOptions = {}): Promise<number> {
    if (this.#refusal !== undefined) throw this.#refusal;
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
    const take = (answer: ServerOperation): number =>
      answer.kind === 'completed' ? answer.value : 0;
    return this.#settle(
      session.call({ operation, payload: bytes, repeatable: true, options, take }),
    );
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
    return this.#settle(this.#say(operation, options));
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

  /** Waits for the call that ends the lease. */
  async #settle<Answer>(call: Promise<Answer>): Promise<Answer> {
    this.#settling += 1;
    try {
      const answer = await call;
      this.#home.settled(this);
      return answer;
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'stale_delivery') {
        this.void(error.message);
        this.#home.settled(this);
      }
      throw error;
    } finally {
      this.#settling -= 1;
    }
  }

  #say(operation: NumberedOperation, options: CallOptions | undefined): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    const { session } = this.#home;
    return session.call({ operation, repeatable: true, options, take: () => undefined });
  }

  /** Why nothing can be said about the lease any more. */
  get #refusal(): PlatformError | undefined {
    if (this.deliveryId !== 0) return this.#voided;
    return new PlatformError('not_allowed', 'A message of a watch with auto commit has no lease.');
  }
}
