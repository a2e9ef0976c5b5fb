// The queues of one service, for the commands that put, get and watch.

import { type Client, connect, type QueueClient } from '@sluice/sdk';
import { type Command, Option } from 'commander';
import { type Context, findServer } from './context.ts';
import { explained } from './services.ts';

export interface QueueChoice {
  readonly input?: boolean;
  readonly sink?: boolean;
  readonly rear?: boolean;
}

/** Connects, runs, and closes the connection whatever happened. */
export async function withQueues<Result>(
  context: Context,
  command: Command,
  service: string,
  run: (queues: Client) => Promise<Result>,
  options: { readonly gid?: string } = {},
): Promise<Result> {
  const server = await findServer(context, command);
  const { url, token } = server;
  const { interrupted: signal } = context;
  const connected = connect(url, { service, token, signal, ...options });
  const client = await connected.catch(async (error: unknown) => {
    throw await explained(error, server, service);
  });
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

/** The flags that choose another queue than the usual one. */
export function queueOptions(usual: 'input' | 'sink'): readonly Option[] {
  const input = new Option('--input', 'the input queue').conflicts('sink');
  const sink = new Option('--sink', 'the sink queue (of results)');
  const [first, second] = usual === 'input' ? [input, sink] : [sink, input];
  first.description += ' (default)';
  return [second, first, new Option('--rear', 'the rear queue of it, where its dead stay')];
}

/** The queue that a command line chose. */
export function chosenQueue(
  queues: Client,
  choice: QueueChoice,
  usual: 'input' | 'sink',
): QueueClient {
  const isInput = usual === 'input' ? choice.sink !== true : choice.input === true;
  if (choice.rear === true) return isInput ? queues.rear : queues.sinkRear;
  return isInput ? queues.input : queues.sink;
}
