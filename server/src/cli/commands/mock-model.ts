// `sluice mock-model`: a model server to try things out with.

import { Command, InvalidArgumentError, Option } from 'commander';
import { parseAddress, showAddress } from '../../config/address.ts';
import { duration, durationOption, positiveNumber, wholeNumber } from '../arguments.ts';
import { CommandError, type Context } from '../context.ts';
import type { BatchSettings } from '../mock-model/batcher.ts';
import { seededChance } from '../mock-model/chance.ts';
import { type Latency, parseLatency } from '../mock-model/latency.ts';
import { MockModel, type MockModelSettings } from '../mock-model/model.ts';

interface Failure {
  readonly status: number;
  readonly rate: number;
}

interface MockModelOptions {
  readonly listen?: string;
  readonly latency: Latency;
  readonly fail?: readonly Failure[];
  readonly cut: number;
  readonly tokens: number;
  readonly pace: number;
  readonly batch?: number;
  readonly batchWait: number;
  readonly batchCost: readonly [number, number];
  readonly concurrency: number;
  readonly busyStatus: string;
  readonly crashAfter: number;
  readonly startup: number;
  readonly answer?: string;
  readonly seed?: number;
}

export function mockModelCommand(context: Context): Command {
  return new Command('mock-model')
    .description('run a model server with set latency and failures; it answers what it is sent')
    .option('--listen <address>', 'HOST:PORT; else HOST and PORT, else 127.0.0.1:9000')
    .addOption(
      new Option('--latency <distribution>', 'time of one request')
        .argParser(readLatency)
        .default({ kind: 'fixed', ms: 0 }, '0s'),
    )
    .option('--fail <status=rate>', 'share of requests with that status; repeatable', failures)
    .option('--cut <rate>', 'share of answers that are cut in the middle', rate, 0)
    .option('--tokens <count>', 'answer that many words one by one', wholeNumber, 0)
    .addOption(durationOption('--pace <time>', 'time between two words', '20ms'))
    .option('--batch <size>', 'work on batches of at most that many', positiveNumber)
    .addOption(durationOption('--batch-wait <time>', 'how long a batch gathers', '5ms'))
    .addOption(
      new Option('--batch-cost <base,item>', 'time of a batch: base + item each')
        .argParser(batchCost)
        .default([50, 5], '50ms,5ms'),
    )
    .option('--concurrency <count>', 'refuse more at a time; 0 = never', wholeNumber, 0)
    .addOption(
      new Option('--busy-status <status>', 'how it refuses').choices(['429', '503']).default('429'),
    )
    .option('--crash-after <count>', 'crash in the middle of that request', wholeNumber, 0)
    .addOption(durationOption('--startup <time>', '/healthz answers 503 for so long', '0s'))
    .option('--answer <text>', 'answer that text')
    .option('--seed <number>', 'repeat a run exactly', wholeNumber)
    .addHelpText(
      'after',
      `
Distributions: 50ms, uniform:20ms,200ms, exponential:100ms, lognormal:100ms,0.8 (median, sigma)
/healthz says whether it is there, /stats what it has seen.

Examples:
  sluice mock-model --latency lognormal:200ms,0.8 --concurrency 4
  sluice mock-model --fail 500=0.05 --fail 503=0.1 --seed 7
  sluice mock-model --tokens 200 --pace 30ms
  sluice mock-model --batch 16 --batch-cost 40ms,2ms`,
    )
    .action((options: MockModelOptions) => runModel(context, options));
}

async function runModel(context: Context, options: MockModelOptions): Promise<void> {
  const seed = options.seed ?? context.random.uint32();
  const model = new MockModel(settingsOf(context, options), {
    clock: context.clock,
    chance: seededChance(seed),
    crash: () => process.kill(process.pid, 'SIGKILL'),
  });
  const { host } = addressOf(context, options);
  await model.start();
  const url = `http://${showAddress({ host, port: model.port })}`;
  context.output.record({ url, seed }, () => [`Mock model on ${url} (seed ${seed})`]);
  if (!context.interrupted.aborted) {
    await new Promise((resolve) =>
      context.interrupted.addEventListener('abort', resolve, { once: true }),
    );
  }
  await model.stop();
}

function settingsOf(context: Context, options: MockModelOptions): MockModelSettings {
  return {
    listen: addressOf(context, options),
    latency: options.latency,
    failures: options.fail ?? [],
    cutRate: options.cut,
    tokens: options.tokens,
    paceMs: options.pace,
    batch: batchOf(options),
    concurrency: options.concurrency,
    busyStatus: Number(options.busyStatus),
    crashAfter: options.crashAfter,
    startupMs: options.startup,
    answer: options.answer,
  };
}

function addressOf(context: Context, options: MockModelOptions): { host: string; port: number } {
  const { HOST, PORT } = context.environment;
  const text = options.listen ?? `${HOST ?? '127.0.0.1'}:${PORT ?? '9000'}`;
  const address = parseAddress(text);
  if (address === undefined) throw new CommandError(`${text} is no HOST:PORT`);
  return address;
}

function batchOf(options: MockModelOptions): BatchSettings | undefined {
  if (options.batch === undefined) return undefined;
  const [baseMs, itemMs] = options.batchCost;
  return { sizeMax: options.batch, waitMs: options.batchWait, baseMs, itemMs };
}

function failures(text: string, before: readonly Failure[] | undefined): readonly Failure[] {
  const [status = '', share = ''] = text.split('=');
  if (!/^[3-5]\d\d$/.test(status)) {
    throw new InvalidArgumentError('Not a status from 300 to 599 and a share, such as 503=0.1.');
  }
  return [...(before ?? []), { status: Number(status), rate: rate(share) }];
}

function rate(text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('Not a share from 0 to 1.');
  }
  return value;
}

function readLatency(text: string): Latency {
  const latency = parseLatency(text);
  if (latency === undefined) {
    throw new InvalidArgumentError('Not a distribution such as 50ms or lognormal:100ms,0.8.');
  }
  return latency;
}

function batchCost(text: string): [number, number] {
  const [base = '', item = ''] = text.split(',');
  return [duration(base), duration(item)];
}
