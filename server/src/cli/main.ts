// The sluice command: its commands, what they have in common, and how they end. All but `serve`,
// `attach`, `restore`, `verify`, `init` and `mock-model` speak to a server through the SDK.

import { PlatformError } from '@sluice/sdk';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { processEnvironment } from '../config/environment.ts';
import { ConfigError } from '../config/mistakes.ts';
import { version } from '../config/version.ts';
import { systemClock } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import { loadCommands } from './command-groups.ts';
import { CommandError, type Context } from './context.ts';
import { Output, OutputClosed, type Terminal } from './output.ts';
import { printable } from './tables.ts';

/** A closed terminal ends a server as gently as Ctrl-C. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a shell shows for a command that was ended by this signal: 128 and its number. */
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 } as const;

/** Runs one command line and answers its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const terminal: Terminal = process;
  const interrupt = new AbortController();
  let interruptCode = 0;
  const context: Context = {
    terminal,
    output: new Output(terminal),
    environment: processEnvironment(),
    clock: systemClock,
    random: systemRandom,
    interrupted: interrupt.signal,
  };
  // The second signal ends the process at once, as it would without us.
  const stop = (signal: (typeof signals)[number]): void => {
    interruptCode ||= signalCodes[signal];
    interrupt.abort();
  };
  for (const signal of signals) process.once(signal, stop);
  try {
    const root = await program(context, args[0]);
    await root.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // A command that was interrupted has nothing to explain. Those that end by Ctrl-C as a matter
    // of course, the servers, do not come here.
    if (interrupt.signal.aborted) {
      context.output.endProgress();
      return interruptCode;
    }
    return fail(context.output, error);
  } finally {
    for (const signal of signals) process.removeListener(signal, stop);
  }
}

/** Every command, with its options and its help; only the one called `name` if there is one. */
export async function program(context: Context, name?: string): Promise<Command> {
  const root = new Command('sluice')
    .description('A durable queue in front of any model server.')
    .version(version, '-V, --version')
    .option('--url <url>', 'address of the server (or SLUICE_URL)')
    .option('--token <token>', 'its admin token (or SLUICE_TOKEN)')
    .option('-c, --credentials <file>', 'a JSON file with "url" and "token" instead of these two')
    .option('--json', 'results as JSON')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.terminal.stdout.write(text),
      outputError: (text) => context.output.note(text.trim()),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(sluice --help shows what there is)');
  for (const command of await loadCommands(context, name)) {
    root.addCommand(command);
    inherit(root, command, `sluice ${command.name()}`);
  }
  root.hook('preAction', (_root, command) => {
    if (command.optsWithGlobals().json === true) context.output.useJson();
  });
  return root;
}

/** A command of commands hands on what it has from the program. */
function inherit(parent: Command, command: Command, words: string): void {
  command.copyInheritedSettings(parent);
  command.showHelpAfterError(`(${words} --help shows how)`);
  for (const each of command.commands) inherit(command, each, `${words} ${each.name()}`);
}

function fail(output: Output, error: unknown): number {
  if (error instanceof OutputClosed) return signalCodes.SIGPIPE;
  if (error instanceof CommanderError && !(error instanceof InvalidArgumentError)) {
    // Commander has said it.
    return error.exitCode === 0 ? 0 : 1;
  }
  if (error instanceof CommandError || error instanceof InvalidArgumentError) {
    output.error(error.message);
  } else if (error instanceof ConfigError) {
    for (const mistake of error.mistakes) output.error(mistake);
  } else if (error instanceof PlatformError) {
    for (const line of error.message.split('\n')) output.error(printable(line));
    if (isConnectionRefused(error)) {
      output.note('(`sluice serve` starts a server, --url names another one)');
    }
    if (/certificate/.test(error.message)) {
      output.note('(NODE_EXTRA_CA_CERTS=FILE makes the commands trust a certificate of your own)');
    }
  } else if (error instanceof Error && 'syscall' in error) {
    // The system's refusals speak for themselves: no such file, permission denied.
    output.error(error.message);
  } else {
    output.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return 1;
}

/** Whether nothing listens at the address, however deep in the causes that stands. */
function isConnectionRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && error.code === 'ECONNREFUSED') return true;
  return isConnectionRefused(error.cause);
}
