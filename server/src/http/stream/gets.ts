// Gets of one connection: long polls, and the handing out of their messages. With auto delete the
// messages stay hidden until the client says that it has them all; then they are deleted. When it
// never says so, or the connection is lost before, they are shown again with the same index.

import { type Get, PlatformError } from '@sluice/sdk/wire';
import type { Handout, Message } from '../../broker/queues.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { shownOf } from '../body-place.ts';
import { filterOf, type Place } from './calls.ts';
import type { Link } from './link.ts';

/** Most messages of one answer. */
const lengthMax = 1000;

interface Running {
  readonly call: Get;
  readonly service: string;
  readonly abort: AbortController;
  /** There once messages were found. */
  handout: Handout | undefined;
  timer: Timer | undefined;
}

export class Gets {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #running = new Map<number, Running>();

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  begin({ channel, queues }: Place, call: Get): void {
    if (this.#running.has(call.number)) {
      throw new PlatformError('bad_request', `number ${call.number} is in use`);
    }
    const running: Running = {
      call,
      service: queues.service,
      abort: new AbortController(),
      handout: undefined,
      timer: undefined,
    };
    const { tags, id } = filterOf(call);
    const request = {
      from: call.from,
      length: Math.max(1, Math.min(call.length, lengthMax)),
      timeoutMs: Math.min(call.timeoutMs, this.#link.limits.pollMs),
      autoDelete: call.autoDelete,
      tags,
      id,
      by: channel.by,
    };
    this.#running.set(call.number, running);
    queues.get(channel.queue, request, running.abort.signal).then(
      (handout) => this.#found(running, handout),
      (error: unknown) => {
        if (this.#finish(running)) this.#link.fail(call, error);
      },
    );
  }

  /** The client has all messages of the answer. */
  taken(number: number): void {
    const running = this.#running.get(number);
    if (running?.handout === undefined) return;
    this.#finish(running);
    this.#link.drop(running.call);
    running.handout.taken();
  }

  /** Nobody waits for the answer any more. */
  cancel(number: number): void {
    const running = this.#running.get(number);
    if (running !== undefined) this.#cut(running);
  }

  /** The connection is lost. */
  close(): void {
    for (const running of this.#running.values()) this.#cut(running);
  }

  #found(running: Running, handout: Handout): void {
    if (this.#running.get(running.call.number) !== running) {
      handout.cut();
      return;
    }
    running.handout = handout;
    const messages = handout.messages.map((message) => shownOf(message, running.service));
    running.timer = this.#clock.after(this.#link.limits.takenMs, () => this.#cut(running));
    this.#send(running, messages, 0);
  }

  /** Hands the messages to the socket as fast as it takes them. */
  #send(running: Running, messages: readonly Message[], start: number): void {
    const link = this.#link;
    const { number } = running.call;
    for (let at = start; at < messages.length; at++) {
      if (this.#running.get(number) !== running) return;
      if (link.buffered() > link.limits.bufferedBytes) {
        const goOn = (): void => {
          link.offRoom(goOn);
          this.#send(running, messages, at);
        };
        link.onRoom(goOn);
        return;
      }
      const message = messages[at];
      if (message !== undefined) sendMessage(link, number, message);
    }
    link.sayInOrder({ kind: 'done', number });
    if (running.call.autoDelete && messages.length > 0) return;
    this.#finish(running);
    link.drop(running.call);
    running.handout?.taken();
  }

  #cut(running: Running): void {
    if (!this.#finish(running)) return;
    this.#link.drop(running.call);
    if (running.handout === undefined) running.abort.abort();
    else running.handout.cut();
  }

  /** Forgets the get; false when it was over already. */
  #finish(running: Running): boolean {
    const { number } = running.call;
    if (this.#running.get(number) !== running) return false;
    this.#running.delete(number);
    running.timer?.cancel();
    return true;
  }
}

function sendMessage(link: Link, number: number, message: Message): void {
  const { index, id, tags, priority, contentType, path, acceptedAt, payload } = message;
  link.sayInOrder(
    {
      kind: 'message',
      number,
      index,
      id,
      tags,
      priority,
      contentType,
      path,
      acceptedAt,
      payload,
      transfer: 0,
      size: payload.length,
    },
    payload,
  );
}
