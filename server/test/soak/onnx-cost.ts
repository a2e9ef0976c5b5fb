// `npm run soak -- onnx-cost`: what the onnx processor costs beside onnxruntime called in process,
// what batches over several calls gain, and what loading takes. One thread a run, rounds of all
// ways one after the other, medians with spread; prints the tables of docs/onnx.md. `--rounds N`
// (7), `--ms N` of each round and way (600). Fails where the processor costs more than it says
// there.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { digitsFile, ownFile, paddleFile } from '../integration/onnx-files.ts';
import { Served } from '../integration/processor-served.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, ms: { type: 'string' } },
  strict: false,
});
const rounds = Number(values.rounds ?? 7);
const roundMs = Number(values.ms ?? 600);
const together = 16;

interface Subject {
  readonly title: string;
  readonly model: string;
  readonly input: string;
  readonly dims: readonly number[];
  readonly config: object;
  readonly picture: string;
  /** Most that a call one at a time may cost beside the run itself, in ms. */
  readonly extraMsMax: number;
}

const paddle = { height: 48, fit: 'height', channels: 'bgr', mean: 0.5, std: 0.5, pad: 127.5 };
const subjects: readonly Subject[] = [
  {
    title: 'digits',
    model: digitsFile('model/digits.onnx'),
    input: 'pixels',
    dims: [1, 64],
    config: JSON.parse(readFileSync(digitsFile('service.json'), 'utf8')).model_config,
    picture: digitsFile('pictures/7.png'),
    extraMsMax: 2,
  },
  {
    title: 'angle classifier',
    model: paddleFile('ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    input: 'x',
    dims: [1, 3, 48, 192],
    config: { image: { ...paddle, width: 192 }, classes: {} },
    picture: ownFile('word.png'),
    extraMsMax: 4,
  },
  {
    title: 'text recogniser',
    model: paddleFile('ch_PP-OCRv4_rec_infer.onnx'),
    input: 'x',
    dims: [1, 3, 48, 320],
    config: {
      image: { ...paddle, width_min: 320, width_max: 320 },
      ctc: { characters: 'ppocr_keys_v1.txt', space: true },
    },
    picture: ownFile('word.png'),
    extraMsMax: 15,
  },
];

/** A way to get answers; `run` gets some and says how many. */
interface Way {
  readonly title: string;
  /** Processor time of whoever runs the model, so far. */
  cpuMs(): number;
  run(): Promise<number>;
}

let failed = 0;
const lines: string[] = [];
const loads: string[] = [];
for (const subject of subjects) await measure(subject);
console.log('| model | way | CPU ms an item, median (least to most) | times the run alone | ms |');
console.log('| --- | --- | --- | --- | --- |');
console.log(lines.join('\n'));
console.log('\n| model | onnxruntime in process | processor ready | resident |');
console.log('| --- | --- | --- | --- |');
console.log(loads.join('\n'));
process.exitCode = failed === 0 ? 0 : 1;

async function measure(subject: Subject): Promise<void> {
  const startedAt = performance.now();
  const session = await InferenceSession.create(subject.model, { intraOpNumThreads: 1 });
  const loadMs = performance.now() - startedAt;
  const { model, config } = subject;
  const served = { kind: 'onnx', model, config: { threads: 1, ...config } } as const;
  const plain = await Served.start(served);
  const flags = ['--batch-size', `${together}`, '--batch-delay', '2'];
  const batching = await Served.start(served, flags);
  const loadTimes = [loadMs, plain.readyMs].map((ms) => `${ms.toFixed(0)} ms`);
  loads.push(`| ${[subject.title, ...loadTimes, `${plain.residentMb()} MB`].join(' | ')} |`);
  try {
    await compare(subject, waysOf(subject, session, plain, batching));
  } finally {
    await plain.stop();
    await batching.stop();
    await session.release();
  }
}

function waysOf(
  { input, dims, picture }: Subject,
  session: InferenceSession,
  plain: Served,
  batching: Served,
): readonly Way[] {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const numbers = Float32Array.from({ length: count }, (_, at) => (at % 17) / 17);
  const bytes = Buffer.from(numbers.buffer);
  const path = `/?shape=${dims.join(',')}`;
  const file = readFileSync(picture);
  const alone = async (batch: number) => {
    const data = new Float32Array(numbers.length * batch);
    for (let at = 0; at < batch; at += 1) data.set(numbers, at * numbers.length);
    const tensor = new Tensor('float32', data, [batch, ...dims.slice(1)]);
    await session.run({ [input]: tensor });
    return batch;
  };
  const raw = (served: Served) => served.post(path, bytes, 'application/octet-stream');
  const png = (served: Served) => served.post('/', file, 'image/png');
  const many = async (send: () => Promise<void>) => {
    await Promise.all(Array.from({ length: together }, send));
    return together;
  };
  const one = async (send: () => Promise<void>) => {
    await send();
    return 1;
  };
  return [
    way('onnxruntime in process', ownCpuMs, () => alone(1)),
    way('onnxruntime in process, 4 rows at once', ownCpuMs, () => alone(4)),
    way(`onnxruntime in process, ${together} rows at once`, ownCpuMs, () => alone(together)),
    way('no model: GET /health, one call at a time', plain, () => one(() => plain.ask())),
    way('tensor as bytes, one call at a time', plain, () => one(() => raw(plain))),
    way('picture, one call at a time', plain, () => one(() => png(plain))),
    way(`tensor as bytes, ${together} calls at a time`, plain, () => many(() => raw(plain))),
    way('the same with batching', batching, () => many(() => raw(batching))),
    way(`picture, ${together} calls at a time`, plain, () => many(() => png(plain))),
    way('the same with batching', batching, () => many(() => png(batching))),
  ];
}

function way(title: string, whose: Served | (() => number), run: Way['run']): Way {
  return { title, cpuMs: whose instanceof Served ? () => whose.cpuMs() : whose, run };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function compare({ title, extraMsMax }: Subject, ways: readonly Way[]): Promise<void> {
  const found = ways.map(() => ({ cpu: [] as number[], wall: [] as number[] }));
  // One round more than is counted: the first warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, way] of ways.entries()) {
      const [startedAt, cpuBefore] = [performance.now(), way.cpuMs()];
      let items = 0;
      while (performance.now() - startedAt < roundMs) items += await way.run();
      if (round === 0) continue;
      found[at]?.cpu.push((way.cpuMs() - cpuBefore) / items);
      found[at]?.wall.push((performance.now() - startedAt) / items);
    }
  }
  const base = found[0]?.cpu ?? [];
  for (const [at, { cpu, wall }] of found.entries()) {
    // Ratios within a round: what else the machine did then was in both.
    const ratios = cpu.map((time, round) => time / (base[round] ?? time));
    const cells = [title, ways[at]?.title, spread(cpu, 3), spread(ratios, 2)];
    lines.push(`| ${cells.join(' | ')} | ${median(wall).toFixed(2)} |`);
    const extra = median(cpu) - median(base);
    if (at === 4 && extra > extraMsMax) {
      failed += 1;
      console.error(
        `${title}: a call costs ${extra.toFixed(2)} ms more; ${extraMsMax} are allowed`,
      );
    }
  }
}

function spread(numbers: readonly number[], digits: number): string {
  const shown = [median(numbers), Math.min(...numbers), Math.max(...numbers)];
  const [middle, least, most] = shown.map((value) => value.toFixed(digits));
  return `${middle} (${least} to ${most})`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
