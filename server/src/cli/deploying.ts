// What the commands have in common that deploy something: their flags, what they say about the
// outcome, and the wait until the service is what it was told to be.

import { type AdminClient, type ApplyAnswer, PlatformError } from '@sluice/sdk';
import { type Command, Option } from 'commander';
import { durationOption } from './arguments.ts';
import type { Context } from './context.ts';
import { differences, paint } from './differences.ts';
import { sheet } from './tables.ts';
import { waitUntilRunning } from './waiting.ts';

export interface WaitFlags {
  /** commander's `--no-wait`. */
  readonly wait: boolean;
  readonly timeout: number;
}

export interface DeployFlags extends WaitFlags {
  readonly strict?: boolean;
}

/** Exit code of a dry run that found something to change. */
export const differsCode = 2;

/** `--no-wait` and `--timeout`; `until` says what is waited for. */
export function addWaitOptions(command: Command, until: string): Command {
  return command
    .option('--no-wait', `do not wait until ${until}`)
    .addOption(durationOption('--timeout <time>', 'how long to wait', '10m'));
}

/** `--strict`. */
export function strictOption(): Option {
  return new Option('--strict', 'refuse fields that nobody knows');
}

/** `--dry-run`. */
export function dryRunOption(): Option {
  return new Option(
    '--dry-run',
    `only show what would change; exit code ${differsCode} if it would`,
  );
}

/** Says what became of a declaration, waits until it runs, and gives the answer as JSON where that
 * is wanted: also of a service that does not come up. */
export async function conclude(
  context: Context,
  client: AdminClient,
  answer: ApplyAnswer,
  flags: WaitFlags,
): Promise<void> {
  tell(context, answer);
  let status = '';
  try {
    if (!flags.wait) return;
    const options = { timeoutMs: flags.timeout, revision: answer.revision };
    ({ status } = await waitUntilRunning(context, client, answer.name, options));
  } finally {
    if (context.output.isJson && !context.interrupted.aborted) {
      const known = status === '' ? await statusOf(client, answer.name) : status;
      context.output.result({ ...answer, status: known }, () => []);
    }
  }
}

/** Remarks, and the outcome in a line. */
export function tell({ output }: Context, answer: ApplyAnswer): void {
  const { name, outcome, revision, warnings } = answer;
  for (const warning of warnings) output.note(`remark: ${warning}`);
  output.ok(`Service ${name} is ${outcome} (revision ${revision})`);
}

/** What a dry run of one service found. */
export function showDryRun(context: Context, answer: ApplyAnswer): void {
  for (const warning of answer.warnings) context.output.note(`remark: ${warning}`);
  context.output.result(answer, () => paint(differences(answer), { colour: wantsColour(context) }));
  if (answer.outcome !== 'unchanged') process.exitCode = differsCode;
}

/** Colours are for terminals, and not for those who have said so (no-color.org). */
export function wantsColour({ output, environment }: Context): boolean {
  return output.isTerminal && (environment.NO_COLOR ?? '') === '';
}

/** Where requests go and with which token, as `create` shows it. There is one address, under both
 * of its names in eascmd. */
export function access(answer: ApplyAnswer): readonly string[] {
  return sheet([
    ['Internet Endpoint', answer.endpoint],
    ['Intranet Endpoint', answer.endpoint],
    ['Token', answer.token === '' ? '(none: an open service)' : answer.token],
  ]);
}

async function statusOf(client: AdminClient, name: string): Promise<string> {
  try {
    return (await client.service(name)).status;
  } catch (error) {
    if (error instanceof PlatformError) return '';
    throw error;
  }
}
