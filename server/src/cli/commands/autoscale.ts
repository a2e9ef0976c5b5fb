// `sluice autoscale`: how the number of a service's instances is decided: shown, set, taken away.

import type { AdminClient, AutoscalerInfo } from '@sluice/sdk';
import { Command } from 'commander';
import { type Assignments, assignmentOption } from '../assignments.ts';
import { CommandError, type Context } from '../context.ts';
import { readDefinition } from '../definitions.ts';
import { withService } from '../services.ts';
import { sheet, shortInstant } from '../tables.ts';

interface AutoscaleFlags {
  readonly file?: string;
  /** Named by commander after its flag, -D. */
  readonly D?: Assignments;
}

export function autoscaleCommand(context: Context): Command {
  const command = new Command('autoscale')
    .description('show, set or remove (rm) how the number of instances is decided')
    .argument('<service>', 'its name; a region before it, local/ocr, is passed over')
    .argument('[name]', 'after `rm`: whose autoscaler to remove')
    .usage('[options] [rm] <service>')
    .addOption(assignmentOption('set one field of the autoscaler, null removes it'))
    .option('-s, --file <file>', 'a JSON file with the whole autoscaler; - reads standard input');
  return command
    .addHelpText(
      'after',
      `
Fields: min, max, strategies.METRIC with the threshold of one instance, METRIC being one of
queue[avgbacklog], queue[wait] (seconds), qps, cpu and gpu[util] (percent), metric[NAME], or
queue[backlog] (of all instances), and
  behavior.scaleUp.stabilizationWindowSeconds     more must be wanted for so long (0)
  behavior.scaleDown.stabilizationWindowSeconds   fewer must be wanted for so long (300)
  behavior.onZero.scaleDownGracePeriodSeconds     nothing happens for so long before 0 (600)
  behavior.onZero.scaleUpActivationReplicas       how many start when work comes at 0 (1)

Examples:
  sluice autoscale ocr
  sluice autoscale ocr -Dmin=0 -Dmax=5 -D 'strategies.queue[avgbacklog]=10'
  sluice autoscale ocr -Dbehavior.scaleDown.stabilizationWindowSeconds=60
  sluice autoscale rm ocr`,
    )
    .action(async (first: string, second: string | undefined, flags: AutoscaleFlags) => {
      if (second !== undefined && first !== 'rm') {
        throw new CommandError('only one service at a time; `sluice autoscale rm SERVICE` removes');
      }
      const name = (second ?? first).replace(/^[^/]*\//, '');
      await withService(context, command, name, async (client) => {
        if (second !== undefined) await remove(context, client, name);
        else if (flags.file === undefined && flags.D === undefined)
          await show(context, client, name);
        else await set(context, client, name, flags);
      });
    });
}

async function set(
  context: Context,
  client: AdminClient,
  name: string,
  { file, D: assignments }: AutoscaleFlags,
): Promise<void> {
  if (file !== undefined && assignments !== undefined) {
    throw new CommandError('-s declares the whole autoscaler, -D single fields of it: give one');
  }
  const fields = [...(assignments ?? [])].map(([path, text]) => [`autoscaler.${path}`, text]);
  const answer =
    file === undefined
      ? await client.modifyService(name, { set: Object.fromEntries(fields) })
      : await client.setAutoscaler(name, await readDefinition(context, file));
  for (const warning of answer.warnings) context.output.note(`remark: ${warning}`);
  context.output.ok(
    `Autoscaler of ${name} is ${answer.outcome === 'unchanged' ? 'unchanged' : 'set'}`,
  );
  await show(context, client, name);
}

async function remove(context: Context, client: AdminClient, name: string): Promise<void> {
  const answer = await client.removeAutoscaler(name);
  const { wanted } = (await client.service(name)).instances;
  const what = answer.outcome === 'unchanged' ? 'had no autoscaler' : 'has no autoscaler any more';
  context.output.result({ service: name, removed: answer.outcome !== 'unchanged', wanted }, () => [
    `[OK] ${name} ${what}: ${wanted} ${wanted === 1 ? 'instance is' : 'instances are'} wanted`,
  ]);
}

async function show(context: Context, client: AdminClient, name: string): Promise<void> {
  const info = await client.autoscaler(name);
  context.output.result(info ?? null, () =>
    info === undefined
      ? [`${name} has no autoscaler: -Dmin=0 -Dmax=5 -Dstrategies.qps=10 would make one`]
      : sheet(rowsOf(name, info)),
  );
}

/** Named as -D takes them, then what came of it. */
function rowsOf(name: string, info: AutoscalerInfo): readonly [string, string | number][] {
  const { behavior, cron, decision } = info;
  return [
    ['ServiceName', name],
    ['min', info.min],
    ['max', info.max],
    ...info.strategies.map(({ metric, threshold, service, value }): [string, string] => {
      const whose = service === name ? '' : ` of ${service}`;
      const now = value === null ? 'not measured yet' : `now ${rounded(value)}`;
      return [`strategies.${metric}`, `${threshold} (${now}${whose})`];
    }),
    ['behavior.scaleUp.stabilizationWindowSeconds', behavior.scaleUpStabilizationSeconds],
    ['behavior.scaleDown.stabilizationWindowSeconds', behavior.scaleDownStabilizationSeconds],
    ['behavior.onZero.scaleDownGracePeriodSeconds', behavior.zeroGraceSeconds],
    ['behavior.onZero.scaleUpActivationReplicas', behavior.activationReplicas],
    ...(cron?.jobs ?? []).map(({ name: job, schedule, targetSize }): [string, string] => [
      `cron ${job}`,
      `${targetSize} from ${schedule} (${cron?.timeZone ?? 'UTC'})`,
    ]),
    ...(cron?.excludeDates ?? []).map((date): [string, string] => ['cron, not on', date]),
    ['Instances wanted', info.wanted],
    [
      'Last decision',
      decision === null
        ? 'none yet'
        : `${decision.count} at ${shortInstant(decision.at)}: ${decision.reason}`,
    ],
  ];
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
