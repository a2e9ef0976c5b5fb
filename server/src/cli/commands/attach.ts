// `sluice attach`: a queue in front of a model server that already runs, in one line. When no
// server answers, this command becomes one and stays in the foreground.

import { AdminClient, type ApplyAnswer, PlatformError } from '@sluice/sdk';
import { Command } from 'commander';
import { positiveNumber } from '../arguments.ts';
import { CommandError, type Context, lookUpServer, type ServerAddress } from '../context.ts';
import { serveOptions, settingValues } from '../serve-options.ts';
import { waitUntilRunning } from '../waiting.ts';

interface AttachOptions {
  readonly name: string;
  readonly window?: number;
  readonly path?: string;
}

/** How long the model server is waited for; its queue works without it. */
const healthTimeoutMs = 10_000;

export function attachCommand(context: Context): Command {
  const command = new Command('attach')
    .description('put a queue in front of a model server that already runs')
    .argument('<url>', 'where the model server listens, http://127.0.0.1:9000')
    .requiredOption('--name <name>', 'name of the service')
    .option('--window <count>', 'requests it works on at a time (default: 5)', positiveNumber)
    .option('--path <path>', 'path of its inference call (default: the path of the URL)');
  for (const option of serveOptions(['data', 'listen', 'engine', 'stop_timeout'])) {
    command.addOption(option);
  }
  return command
    .addHelpText(
      'after',
      `
Talks to the running server, or becomes one in the foreground when none answers.

Example, in two terminals:
  sluice mock-model --listen 127.0.0.1:9000 --latency 500ms
  sluice attach http://127.0.0.1:9000 --name demo --window 4`,
    )
    .action(async (url: string, options: AttachOptions) => {
      const definition = definitionOf(url, options);
      const server = await answeringServer(context, command);
      if (server !== undefined) {
        await attach(context, server, options.name, definition);
        return;
      }
      context.output.note('No Sluice answers here: starting one, Ctrl-C stops it');
      const { serve } = await import('../serving.ts');
      await serve(context, settingValues(command), (own) =>
        attach(context, own, options.name, definition),
      );
    });
}

// A server named in so many words has to answer; one that is only looked up need not be there.
async function answeringServer(
  context: Context,
  command: Command,
): Promise<ServerAddress | undefined> {
  const server = await lookUpServer(context, command);
  if (server === undefined) return undefined;
  try {
    await new AdminClient(server).server();
    return server;
  } catch (error) {
    const isNamed = command.optsWithGlobals().url ?? context.environment.SLUICE_URL;
    const isAway = error instanceof PlatformError && error.code === 'unavailable';
    if (isAway && isNamed === undefined) return undefined;
    throw error;
  }
}

async function attach(
  context: Context,
  server: ServerAddress,
  name: string,
  definition: Readonly<Record<string, unknown>>,
): Promise<void> {
  const client = new AdminClient(server);
  const existing = (await client.services()).some((service) => service.name === name);
  if (existing) await refuseOther(client, name);
  const answer = await client.applyService(name, definition);
  for (const warning of answer.warnings) context.output.note(`remark: ${warning}`);
  const wait = { timeoutMs: healthTimeoutMs, revision: answer.revision };
  await waitUntilRunning(context, client, name, wait).catch((error: unknown) => {
    // The queue works without the model server; what is put now is answered when it comes.
    if (context.interrupted.aborted || !(error instanceof CommandError)) throw error;
    context.output.note(`${error.message}; its queues work`);
  });
  context.output.result(answer, () => usage(answer));
}

async function refuseOther(client: AdminClient, name: string): Promise<void> {
  const { definition } = await client.service(name);
  if (typeof definition === 'object' && definition !== null && 'endpoint' in definition) return;
  throw new CommandError(
    `the service ${name} exists and was not made by attach: choose another --name`,
  );
}

function definitionOf(url: string, options: AttachOptions): Readonly<Record<string, unknown>> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CommandError(`${url} is no address such as http://127.0.0.1:9000`);
  }
  const { origin, pathname } = new URL(url);
  const { name, window, path = pathname } = options;
  return {
    metadata: {
      name,
      type: 'Async',
      instance: 1,
      ...(window === undefined ? {} : { rpc: { worker_threads: window } }),
    },
    endpoint: [origin],
    request: { path: path.startsWith('/') ? path : `/${path}` },
  };
}

function usage(answer: ApplyAnswer): readonly string[] {
  const authorization = answer.token === '' ? '' : `-H 'Authorization: ${answer.token}' `;
  return [
    '',
    `Service ${answer.name} is ${answer.outcome}. Put a request (the answer is its index):`,
    `  curl ${authorization}-H 'Content-Type: application/json' --data '{"hello": "world"}' \\`,
    `    '${answer.endpoint}'`,
    'Fetch a result, waiting up to 30 s:',
    `  curl ${authorization}'${answer.endpoint}/sink?_timeout_=30s'`,
    'Or with this command:',
    `  sluice put ${answer.name} --data '{"hello": "world"}' --wait`,
    '',
  ];
}
