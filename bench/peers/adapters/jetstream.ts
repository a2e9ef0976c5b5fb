// NATS JetStream: a work queue on disk, one durable pull consumer that all consumers share, each
// with a connection of its own, and every message acknowledged with confirmation. A result is
// published to a second stream before that; the submitter's acknowledgement of it is not awaited.

import {
  type Adapter,
  type Body,
  type WorkOptions,
  windowOfAll,
  windowOfEach,
} from '../adapter.ts';
import { load } from '../packages.ts';

export interface JetStreamAddress {
  readonly port: number;
}

interface Connection {
  close(): Promise<void>;
}

interface Message {
  readonly data: Uint8Array;
  ack(): void;
  ackAck(): Promise<boolean>;
}

interface Messages {
  close(): Promise<unknown>;
}

interface Consumer {
  consume(options: object): Promise<Messages>;
}

interface Client {
  publish(subject: string, body: Body): Promise<unknown>;
  readonly consumers: { get(stream: string, consumer: string): Promise<Consumer> };
}

interface Manager {
  readonly streams: {
    add(options: object): Promise<unknown>;
    purge(name: string): Promise<unknown>;
  };
  readonly consumers: { add(stream: string, options: object): Promise<unknown> };
}

interface Transport {
  connect(options: object): Promise<Connection>;
}

interface JetStream {
  jetstream(connection: Connection, options: object): Client;
  jetstreamManager(connection: Connection): Promise<Manager>;
}

const input = 'input';
const sink = 'sink';
const durable = 'workers';
const timeout = 60_000;
const million = 1e6;

/** Streams and their consumers are made unless they are there. */
export async function openJetStream({ port }: JetStreamAddress): Promise<Adapter> {
  const { connect } = await load<Transport>('@nats-io/transport-node');
  const { jetstream, jetstreamManager } = await load<JetStream>('@nats-io/jetstream');
  const open = (): Promise<Connection> => connect({ servers: `127.0.0.1:${port}`, timeout });
  const connection = await open();
  const manager = await jetstreamManager(connection);
  for (const name of [input, sink]) {
    const subjects = [name];
    await manager.streams.add({ name, subjects, storage: 'file', retention: 'workqueue' });
    await manager.consumers.add(name, {
      durable_name: durable,
      ack_policy: 'explicit',
      ack_wait: 30_000 * million,
      max_ack_pending: 2 * windowOfAll,
    });
  }
  const client = jetstream(connection, { timeout });
  const put = (body: Body): Promise<unknown> => client.publish(input, body);
  return {
    form: 'bytes',
    put,
    fill: (bodies) => Promise.all(bodies.map(put)),
    work: async ({ consumers, results, delivered, done, failed }: WorkOptions) => {
      const handle = (message: Message): void => {
        const { data } = message;
        delivered(data);
        const settle = results
          ? client.publish(sink, data).then(() => message.ackAck())
          : message.ackAck().then(() => done(data));
        settle.catch(failed);
      };
      const receive = (message: Message): void => {
        message.ack();
        done(message.data);
      };
      const consume = async (
        from: Connection,
        [stream, callback]: readonly [string, (message: Message) => void],
        most: number,
      ): Promise<Messages> => {
        const consumer = await jetstream(from, { timeout }).consumers.get(stream, durable);
        return consumer.consume({ callback, max_messages: most });
      };
      const own = await Promise.all(Array.from({ length: consumers }, open));
      const most = windowOfEach(consumers);
      const running = await Promise.all([
        ...own.map((each) => consume(each, [input, handle], most)),
        ...(results ? [consume(connection, [sink, receive], windowOfAll)] : []),
      ]);
      return {
        stop: async () => {
          await Promise.all(running.map((each) => each.close()));
          await Promise.all(own.map((each) => each.close()));
        },
      };
    },
    empty: async () => {
      await Promise.all([input, sink].map((name) => manager.streams.purge(name)));
    },
    close: () => connection.close(),
  };
}
