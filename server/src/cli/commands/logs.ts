// `sluice logs`: what the instances of a service wrote.

import { type AdminClient, type LogLine, PlatformError, type ServiceLogOptions } from '@sluice/sdk';
import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { isAway, untilBack } from '../coming-back.ts';
import { CommandError, type Context } from '../context.ts';
import { withService } from '../services.ts';
import { caughtUpLines, ShownLogs } from '../shown-logs.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
}

export function logsCommand(context: Context): Command {
  const command = new Command('logs');
  return command
    .description('what the instances of a service wrote')
    .argument('<service>', 'its name')
    .argument('[instance]', 'one instance; all of them without it')
    .option('-f, --follow', 'go on with what is written from now on')
    .option('-n, --tail <lines>', 'begin with that many lines', wholeNumber)
    .addHelpText(
      'after',
      `
Followed, it waits for a server that is gone, says so, and goes on where it was.

Examples:
  sluice logs demo --tail 100
  sluice logs demo --follow             of instances that start later too, until Ctrl-C
  sluice logs demo demo-sky7m           one of its instances (sluice w demo names them)`,
    )
    .action((name: string, only: string | undefined, options: LogsOptions) =>
      withService(context, command, name, (client) =>
        printLogs(context, client, { name, only, options }),
      ),
    );
}

interface Choice {
  readonly name: string;
  readonly only: string | undefined;
  readonly options: LogsOptions;
}

async function printLogs(context: Context, client: AdminClient, choice: Choice): Promise<void> {
  const { name, only, options } = choice;
  if (only !== undefined) return printOne(context, client, { ...choice, only });
  const { follow = false, tail } = options;
  const count = (await client.instances(name)).length;
  const why = `(sluice desc ${name} says why)`;
  if (count === 0 && !follow) throw new CommandError(`${name} has no instances now ${why}`);
  if (count === 0) context.output.note(`${name} has no instances now ${why}; waiting for one`);
  // A follower may meet more of them later.
  const printer = new Printer(context, client, { name, isPrefixed: follow || count > 1 });
  await (follow ? printer.follow(tail, undefined) : printer.print(tail, undefined));
}

async function printOne(
  context: Context,
  client: AdminClient,
  { name, only, options }: Choice & { readonly only: string },
): Promise<void> {
  const { follow = false, tail } = options;
  const printer = new Printer(context, client, { name, isPrefixed: false });
  try {
    await (follow ? printer.follow(tail, only) : printer.print(tail, only));
  } catch (error) {
    if (!isUnknown(error)) throw error;
    const all = (await client.instances(name)).map((instance) => instance.name);
    if (all.includes(only)) throw error;
    const others = all.length === 0 ? 'it has none' : `it has: ${all.join(', ')}`;
    throw new CommandError(`${name} has no instance ${only}; ${others}`);
  }
}

class Printer {
  readonly #context: Context;
  readonly #client: AdminClient;
  readonly #name: string;
  readonly #isPrefixed: boolean;
  readonly #shown = new ShownLogs();

  constructor(
    context: Context,
    client: AdminClient,
    { name, isPrefixed }: { readonly name: string; readonly isPrefixed: boolean },
  ) {
    this.#context = context;
    this.#client = client;
    this.#name = name;
    this.#isPrefixed = isPrefixed;
  }

  /** What there is. */
  async print(tail: number | undefined, instance: string | undefined): Promise<void> {
    for await (const entry of this.#read({ tail, instance })) await this.#say(entry);
  }

  /** Also what comes, through restarts of the server; until the end of the one instance, or that of
   * the service. */
  async follow(tail: number | undefined, instance: string | undefined): Promise<void> {
    for (let lines = tail; ; lines = caughtUpLines) {
      const why = await this.#untilCut({ tail: lines, instance, follow: true });
      if (await this.#isOver(instance)) return;
      await untilBack(this.#context, this.#client, why);
      await this.#catchUp(instance);
      if (await this.#isOver(instance)) return;
    }
  }

  /** Resolves with why nothing more comes. */
  async #untilCut(how: ServiceLogOptions): Promise<string> {
    try {
      for await (const entry of this.#read(how)) {
        if (this.#shown.isNew(entry)) await this.#say(entry);
      }
      return 'it has ended the log';
    } catch (error) {
      if (isAway(error)) return error.message;
      throw error;
    }
  }

  /** What was written while the server was away. */
  async #catchUp(instance: string | undefined): Promise<void> {
    const ends: LogLine[] = [];
    try {
      const how = { tail: caughtUpLines, instance };
      for await (const entry of this.#read(how)) ends.push(entry);
    } catch (error) {
      // There are no logs yet, or any more; or the next try comes here again.
      if (!isUnknown(error) && !isAway(error)) throw error;
    }
    for (const entry of this.#shown.caughtUp(ends)) await this.#say(entry);
  }

  /** Whether nothing can be followed any more; not when nobody can be asked. */
  async #isOver(instance: string | undefined): Promise<boolean> {
    try {
      const left = await this.#client.instances(this.#name);
      return instance !== undefined && !left.some(({ name }) => name === instance);
    } catch (error) {
      if (isAway(error)) return false;
      if (!isUnknown(error)) throw error;
      this.#context.output.note(`${this.#name} is deleted: nothing more will come`);
      return true;
    }
  }

  /** Throws when the command is interrupted. */
  async *#read(how: ServiceLogOptions): AsyncGenerator<LogLine> {
    const signal = this.#context.interrupted;
    yield* this.#client.serviceLogs(this.#name, { ...how, signal });
    if (signal.aborted) throw new CommandError('interrupted');
  }

  #say(entry: LogLine): Promise<void> {
    const { instance, line } = entry;
    const text = this.#isPrefixed ? `${instance} | ${line}` : line;
    return this.#context.output.print(entry, () => [text]);
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'not_found';
}
