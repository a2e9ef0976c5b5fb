// What running requests say of themselves, from the instances of this machine to whoever follows:
// the book of events, and the address where models report.

import type { RequestEvent } from '@sluice/sdk/wire';
import type { StreamRequests } from '../http/stream/follows.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { EventBook } from '../requests/events/event-book.ts';
import { type FollowedRequests, followRequest } from '../requests/events/follow.ts';
import type { RequestView } from '../requests/request.ts';
import { ContainerReports } from '../worker/container-reports.ts';
import { ReportDesk } from '../worker/report-desk.ts';
import type { WorkNews } from '../worker/source.ts';

/** The events of a request behind `after`, to its rest or until `signal` is aborted. Throws
 * `not_found` with the first one when there is no such request. */
export type FollowEvents = (
  service: string,
  id: string,
  after: string | undefined,
  signal: AbortSignal,
) => AsyncIterable<RequestEvent>;

export class Following implements Component {
  readonly book: EventBook;
  readonly reports: ReportDesk;
  readonly containerReports: ContainerReports;

  constructor({ clock, random, log }: { clock: Clock; random: Random; log: Log }) {
    this.book = new EventBook(clock);
    this.reports = new ReportDesk({ random, log });
    this.containerReports = new ContainerReports({ random, log });
  }

  start(): Promise<void> {
    return this.reports.start();
  }

  async stop(): Promise<void> {
    this.book.stop();
    await this.reports.stop();
    await this.containerReports.stop();
  }

  /** Where the work of a service is heard. */
  news(service: string): WorkNews {
    const { book } = this;
    return {
      add: ({ index, deliveries }, notes, from) => {
        book.add({ service, index, attempt: deliveries }, notes, from);
      },
      end: ({ index, deliveries }) => book.end({ service, index, attempt: deliveries }),
    };
  }

  /** What the stream protocol needs of all this. */
  streams(requests: Pick<FollowedRequests, 'view'>, follow: FollowEvents): StreamRequests {
    const { book } = this;
    return {
      add: (request, notes, from) => book.add(request, notes, from),
      end: (request) => book.end(request),
      followed: { view: (service, id) => requests.view(service, id), follow },
    };
  }

  /** Follows requests as these tell of them; `version` of a view changes with it. */
  follower(requests: FollowedRequests, version: (view: RequestView) => string): FollowEvents {
    const { book } = this;
    return (service, id, after, signal) =>
      followRequest({ requests, book, version, service, id, after, signal });
  }
}
