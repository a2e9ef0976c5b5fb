// `sluice apply`: makes services what files say, one file or a folder of them, showing field by
// field what that changes. May be repeated: what is so already is left alone.

import { AdminClient, type ApplyAnswer, PlatformError, type ServiceSummary } from '@sluice/sdk';
import { Command } from 'commander';
import { CommandError, type Context, findServer } from '../context.ts';
import { type Declaration, readDeclarations } from '../definitions.ts';
import {
  addWaitOptions,
  type DeployFlags,
  differsCode,
  dryRunOption,
  strictOption,
  wantsColour,
} from '../deploying.ts';
import { type DifferenceLine, differences, paint, tally } from '../differences.ts';
import { confirm } from '../question.ts';
import { waitUntilRunning } from '../waiting.ts';
import { heldText } from './delete.ts';

interface ApplyFlags extends DeployFlags {
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly yes?: boolean;
}

/** What is to be done, as the server has checked it. */
interface Plan {
  readonly changes: readonly Change[];
  readonly superfluous: readonly ServiceSummary[];
}

interface Change {
  readonly declaration: Declaration;
  readonly answer: ApplyAnswer;
}

export function applyCommand(context: Context): Command {
  const command = new Command('apply')
    .description('make services what files say, and show what that changes')
    .argument('<path>', 'a service.json, - for standard input, or a folder of *.json and *.jsonc')
    .addOption(dryRunOption())
    .option('--prune', 'delete services that no file of the folder declares, after asking')
    .option('-y, --yes', 'do not ask')
    .addOption(strictOption());
  return addWaitOptions(command, 'all of them run')
    .addHelpText(
      'after',
      `
Signs: + comes, - goes, ~ changes. All files are checked before the first is applied. With --prune
nothing is deleted unless all others run.

Exit codes: 0 all is as the files say (with --dry-run: was so already), 1 refused or not running,
${differsCode} --dry-run found something to change.

Examples:
  sluice apply service.json
  sluice apply services/ --dry-run
  sluice apply services/ --prune --yes      in a script: nobody is asked`,
    )
    .action(async (path: string, flags: ApplyFlags) => {
      const { isFolder, declarations } = await readDeclarations(context, path);
      if (flags.prune === true && !isFolder) {
        throw new CommandError(`--prune needs a folder: ${path} would be all that is left`);
      }
      const client = new AdminClient(await findServer(context, command));
      const plan = await makePlan(client, declarations, flags);
      if (!context.output.isJson) show(context, plan);
      if (flags.dryRun === true) {
        if (context.output.isJson) context.output.result(planJson(plan), () => []);
        if (differs(plan)) process.exitCode = differsCode;
        return;
      }
      await agreed(context, plan, flags);
      await carryOut(context, client, plan, flags);
    });
}

async function makePlan(
  client: AdminClient,
  declarations: readonly Declaration[],
  flags: ApplyFlags,
): Promise<Plan> {
  const options = { strict: flags.strict === true, dryRun: true };
  const changes: Change[] = [];
  const mistakes: string[] = [];
  for (const declaration of declarations) {
    const { name, definition, file } = declaration;
    try {
      const answer = await client.applyService(name, definition, options);
      changes.push({ declaration, answer });
    } catch (error) {
      if (!isMistake(error)) throw error;
      mistakes.push(`${file}: ${error.message}`);
    }
  }
  if (mistakes.length > 0) throw new CommandError([...mistakes, 'nothing is changed'].join('\n'));
  const declared = new Set(declarations.map(({ name }) => name));
  const services = flags.prune === true ? await client.services() : [];
  return { changes, superfluous: services.filter(({ name }) => !declared.has(name)) };
}

function isMistake(error: unknown): error is PlatformError {
  return (
    error instanceof PlatformError && (error.code === 'bad_request' || error.code === 'conflict')
  );
}

function show(context: Context, { changes, superfluous }: Plan): void {
  for (const { declaration, answer } of changes) {
    for (const warning of answer.warnings) {
      context.output.note(`remark: ${declaration.file}: ${warning}`);
    }
  }
  const goes = superfluous.map(
    (service): DifferenceLine => ({
      sign: '-',
      text: `- ${service.name}: delete, with its queues (${heldText(service)})`,
    }),
  );
  const answers = changes.map(({ answer }) => answer);
  const lines = [...answers.flatMap(differences), ...goes];
  context.output.result(undefined, () => [
    ...paint(lines, { colour: wantsColour(context) }),
    tally(answers, superfluous.length),
  ]);
}

function planJson({ changes, superfluous }: Plan): unknown {
  return {
    services: changes.map(({ declaration, answer }) => ({ file: declaration.file, ...answer })),
    deleted: superfluous.map(({ name }) => name),
  };
}

function differs({ changes, superfluous }: Plan): boolean {
  return superfluous.length > 0 || changes.some(({ answer }) => answer.outcome !== 'unchanged');
}

async function agreed(context: Context, plan: Plan, flags: ApplyFlags): Promise<void> {
  const names = plan.superfluous.map(({ name }) => name).join(', ');
  if (names === '' || flags.yes === true) return;
  const question = `Delete ${names} with everything in the queues?`;
  if (await confirm(context, question, { usual: 'no' })) return;
  throw new CommandError('nothing is changed (--yes deletes without asking, or leave out --prune)');
}

async function carryOut(
  context: Context,
  client: AdminClient,
  { changes, superfluous }: Plan,
  flags: ApplyFlags,
): Promise<void> {
  const options = { strict: flags.strict === true };
  const applied: (ApplyAnswer & { readonly file: string; readonly status: string })[] = [];
  for (const { declaration } of changes) {
    const { name, definition, file } = declaration;
    const answer = await client.applyService(name, definition, options);
    const { outcome, revision } = answer;
    if (outcome !== 'unchanged') {
      context.output.ok(`Service ${name} is ${outcome} (revision ${revision})`);
    }
    applied.push({ file, ...answer, status: '' });
  }
  const failures: string[] = [];
  for (const [at, answer] of applied.entries()) {
    if (!flags.wait) break;
    const { name, revision } = answer;
    const wait = { timeoutMs: flags.timeout, revision, speaker: name };
    const waiting = waitUntilRunning(context, client, name, wait);
    const status = await waiting.then(
      (service) => service.status,
      (error: unknown) => {
        if (!(error instanceof CommandError) || context.interrupted.aborted) throw error;
        failures.push(`${name}: ${error.message}`);
        return '';
      },
    );
    applied[at] = { ...answer, status };
  }
  const deleted = failures.length > 0 ? [] : superfluous;
  for (const { name } of deleted) {
    await client.deleteService(name);
    context.output.ok(`Service ${name} is deleted`);
  }
  if (context.output.isJson) {
    const names = deleted.map(({ name }) => name);
    context.output.result({ services: applied, deleted: names }, () => []);
  }
  if (failures.length === 0) return;
  const kept = superfluous.length > 0 ? ['so nothing was deleted'] : [];
  throw new CommandError([...failures, ...kept].join('\n'));
}
