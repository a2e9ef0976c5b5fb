// The table of `npm run headline`: calls of which most take longer than a client waits, at a load
// that the model can work off, made directly and through Sluice. Times are scaled down, and shown
// as they would be at full length: what a program adds is shown so many times too long.

import { cpus } from 'node:os';
import { RequestClient } from '@sluice/sdk';
import { say } from '../demo/report.ts';
import { startSluice } from '../demo/sluice.ts';
import { readFlags } from '../usage.ts';
import { direct, type Outcome, play, through } from './callers.ts';
import { type Load, loadOf } from './load.ts';
import { type Model, startModel } from './model.ts';

const usage = `
npm run headline -- [flags]: long calls under load, directly with a time-out and through Sluice.
  --requests N     how many calls are made (500)
  --slots N        calls that the model works on at a time (8)
  --load SHARE     share of the slots that calls keep busy in the long run (0.85)
  --scale N        time runs so many times faster (30)
  --seed N         another load (12)
`;
const { values } = readFlags(usage, {
  options: {
    requests: { type: 'string', default: '500' },
    slots: { type: 'string', default: '8' },
    load: { type: 'string', default: '0.85' },
    scale: { type: 'string', default: '30' },
    seed: { type: 'string', default: '12' },
  },
});
const scale = Number(values.scale);
const slots = Number(values.slots);
const timeoutMs = 15_000 / scale;
const service = 'headline';

interface Row {
  readonly name: string;
  readonly outcomes: readonly Outcome[];
  readonly spent: ReturnType<Model['spent']>;
}

const load = loadOf({
  requests: Number(values.requests),
  slots,
  load: Number(values.load),
  timeoutMs,
  shareAbove: 0.62,
  sigma: 0.8,
  seed: Number(values.seed),
});
const rows = [
  await calledDirectly('called directly, time-out 15 s', false),
  await calledDirectly('the same, a server that passes over callers who left its line', true),
  await calledThrough(),
];
print(load, rows);
if (rows.at(-1)?.outcomes.some(({ kind }) => kind !== 'result')) process.exitCode = 1;

async function calledDirectly(name: string, skipsGone: boolean): Promise<Row> {
  const model = await startModel(slots, skipsGone);
  const outcomes = await play(load, direct(model.url, timeoutMs));
  await model.idle();
  const spent = model.spent();
  await model.close();
  return { name, outcomes, spent };
}

async function calledThrough(): Promise<Row> {
  const model = await startModel(slots, false);
  const sluice = await startSluice({ isolated: true });
  try {
    const { token } = await sluice.admin.applyService(service, {
      metadata: { name: service, type: 'Async', instance: 1, rpc: { worker_threads: slots } },
      endpoint: model.url,
    });
    const client = new RequestClient({ url: sluice.url, service, token });
    await client.run('1');
    model.spent();
    const outcomes = await play(load, through(client));
    return { name: 'through Sluice', outcomes, spent: model.spent() };
  } finally {
    await sluice.stop();
    await model.close();
  }
}

function print({ calls, perSecond, medianMs, meanMs }: Load, all: readonly Row[]): void {
  const workMs = calls.reduce((sum, call) => sum + call.workMs, 0);
  const busy = workMs / (calls.at(-1)?.atMs ?? 1) / slots;
  const above = calls.filter(({ workMs }) => workMs > timeoutMs).length / calls.length;
  say(
    `${calls.length} calls, ${(perSecond / scale).toFixed(2)} a second at random; ` +
      `log-normal times, median ${seconds(medianMs)}, mean ${seconds(meanMs)}, ` +
      `${percent(above)} above 15 s; ` +
      `${slots} at a time, which they keep busy for ${percent(busy)} of the time.`,
  );
  const [processor] = cpus();
  say(`Time runs ${scale} times faster. ${cpus().length} x ${processor?.model ?? 'processor'}.\n`);
  say('| | timed out | compute wasted | with a result | p50 to the result | p99 |');
  say('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const { name, outcomes, spent } of all) {
    const share = (kind: Outcome['kind']): string =>
      percent(outcomes.filter((one) => one.kind === kind).length / outcomes.length);
    const took = outcomes
      .filter(({ kind }) => kind === 'result')
      .map(({ tookMs }) => tookMs)
      .toSorted((one, other) => one - other);
    const wasted = percent(spent.wastedMs / spent.totalMs);
    const cells = [share('timed out'), wasted, share('result'), at(took, 0.5), at(took, 0.99)];
    say(`| ${[name, ...cells].join(' | ')} |`);
  }
}

function at(sorted: readonly number[], share: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return value === undefined ? '–' : seconds(value);
}

function seconds(scaledMs: number): string {
  return `${((scaledMs * scale) / 1000).toFixed(1)} s`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
