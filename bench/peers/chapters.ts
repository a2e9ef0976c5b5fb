// The chapters of the document: what each scenario is, what is fair about it and what is not, and
// how its figures are drawn.

interface Common {
  readonly scenario: string;
  readonly title: string;
  readonly says: readonly string[];
  readonly unit: string;
}

export type Chapter =
  | (Common & { readonly plot: 'bars' /** The part that is drawn. */; readonly plotted?: string })
  | (Common & { readonly plot: 'lines'; readonly x: string });

export const chapters: readonly Chapter[] = [
  {
    scenario: 'put',
    title: 'Put',
    says: [
      'Messages of 1 KB, each acknowledged by itself, 1,024 under way from one process. Some',
      'queues have calls that take many messages at once; they are left out everywhere,',
      'because requests of many users come one by one. Clients may put what they have into',
      'one write, and all do.',
    ],
    unit: 'messages a second',
    plot: 'bars',
  },
  {
    scenario: 'take',
    title: 'Put, take and complete at once',
    says: [
      'The next message is put when one has been completed, 1,024 in the queue, no result.',
      'This is what all of these queues do, and the row to compare them by. In Sluice each',
      'message is accepted, delivered with a fencing token and completed, all of it flushed.',
    ],
    unit: 'messages a second',
    plot: 'bars',
  },
  {
    scenario: 'cycle',
    title: 'Full cycle with a result',
    says: [
      'As before, and each message has a result of its own size that goes back to the',
      'submitter; the next is put when it is there. In Sluice and plain PostgreSQL a message',
      'is completed and its result kept in one transaction; in bare Redis Streams too. The',
      'others do two steps, between which a crash may lose one of them or double it. A BullMQ',
      'result arrives as an event.',
    ],
    unit: 'requests a second',
    plot: 'bars',
  },
  {
    scenario: 'http-put',
    title: 'Put over HTTP',
    says: [
      'Posts of 1 KB over 256 connections. Sluice has an HTTP edge with access checks and its',
      'own protocol; for the others, which are libraries, a node:http server of twenty lines',
      'reads the body, puts it by their client and answers one digit. Its processor time',
      'counts as the server.',
    ],
    unit: 'requests a second',
    plot: 'bars',
  },
  {
    scenario: 'half-load',
    title: 'Latency at half load',
    says: [
      'Messages at a fixed rate, half of what the queue itself did in eight seconds of `take`',
      'just before, whatever it does meanwhile (an open loop). There are more rounds than',
      'elsewhere: one stall of the machine is most of a slowest hundredth. Times run from the',
      'moment at which a message was due, also when program or queue is late, so that waiting',
      'is never left out (no coordinated omission), and are kept in an HDR histogram.',
      '`submit`: until the put was acknowledged; `dispatch`: until a consumer had it. A faster',
      'queue is measured at a higher rate: `rate` says which. Ratios below 1 are better here.',
      'Drawn: the median of dispatch.',
    ],
    unit: 'milliseconds until a consumer has it, median',
    plot: 'bars',
    plotted: 'half-load/dispatch_p50',
  },
  {
    scenario: 'consumers',
    title: 'Number of consumers',
    says: [
      'As `take`, with 2,048 messages in the queue and 1 to 1,000 consumers that share a',
      'window of 1,024. A consumer is a connection of its own in Sluice, Redis, BullMQ and',
      'JetStream; on PostgreSQL it is a loop or task that shares a pool of 32 connections, as',
      'its manuals advise. All of them are in one Node process, which is a limit of this',
      'benchmark and not of the queues.',
    ],
    unit: 'messages a second',
    plot: 'lines',
    x: 'consumers',
  },
  {
    scenario: 'payload',
    title: 'Size of payloads',
    says: [
      'As `take`; with larger payloads fewer are under way: 1,024, 1,024, 256 and 16. BullMQ,',
      'pg-boss and graphile-worker keep JSON: their payload is text of that length.',
    ],
    unit: 'messages a second',
    plot: 'lines',
    x: 'bytes',
  },
  {
    scenario: 'backlog',
    title: 'A growing backlog',
    says: [
      'As `take`, while more and more messages wait in front of those that are put. Messages',
      'in between are put in bulk. One queue after another, each with the machine to itself,',
      'so its figures are of one round.',
    ],
    unit: 'messages a second',
    plot: 'lines',
    x: 'messages that wait',
  },
  {
    scenario: 'backlog-memory',
    title: 'Memory of a waiting message',
    says: [
      'Memory of the server that is not backed by files after a restart with all of them',
      'waiting, less what it had when it was new and empty, for each waiting message. Sluice,',
      'PostgreSQL and JetStream keep payloads on disk and let the system cache the files;',
      'Redis keeps them in memory. PostgreSQL fills the shared buffers that it was given.',
    ],
    unit: 'bytes',
    plot: 'bars',
  },
  {
    scenario: 'backlog-start',
    title: 'Start with a backlog',
    says: [
      'From the start of the server process, after an orderly stop, until the first of the',
      'waiting messages is in the hands of a consumer.',
    ],
    unit: 'seconds',
    plot: 'bars',
  },
];
