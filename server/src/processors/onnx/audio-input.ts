// Sound as the input of a model: decoded, brought to its rate, and shown to it at once or window by
// window, with what the model wants to remember handed from each window to the next.

import { InputError, ModelError } from '../processor.ts';
import type { AudioConfig } from './config.ts';
import { elementType } from './element.ts';
import { atRate } from './sample-rate.ts';
import { stack } from './stack.ts';
import { elementsOf, type Tensor, type TensorSpec, type Tensors } from './tensor.ts';
import { readWav } from './wav.ts';

/** Runs the model over a sound. Answers outputs of one row: [1, windows, ...], or without windows
 * what the model gave for it. */
export type AudioReader = (
  bytes: Uint8Array,
  run: (feeds: Tensors) => Promise<Tensors>,
) => Promise<Tensors>;

interface Plan {
  readonly config: AudioConfig;
  readonly input: TensorSpec;
  readonly hasRows: boolean;
  /** Inputs that are handed on, and zeros for the first window. */
  readonly firstState: Tensors;
}

const secondsMax = 600;
/** Windows of one run of a model without a state. */
const windowsOfRun = 64;

/** Throws ModelError when config and model do not go together. */
export function audioReader(
  config: AudioConfig,
  input: TensorSpec,
  {
    inputs,
    outputs,
    hasRows,
  }: {
    readonly inputs: readonly TensorSpec[];
    readonly outputs: readonly TensorSpec[];
    readonly hasRows: boolean;
  },
): AudioReader {
  if (input.type.name !== 'float32') throw wrong(`input ${input.name} is no float32`);
  if (config.window === undefined && (config.hop ?? config.context ?? config.state) !== undefined) {
    throw wrong('hop, context and state need a window');
  }
  const firstState = stateOf(config, inputs, outputs);
  const plan = { config, input, hasRows, firstState };
  return async (bytes, run) => {
    const sound = readWav(bytes);
    const seconds = sound.samples.length / sound.rate;
    const limit = config.seconds_max ?? secondsMax;
    if (seconds > limit) {
      const message = `the sound has ${seconds.toFixed(1)} seconds; at most ${limit} are taken`;
      throw new InputError(message, { status: 413 });
    }
    const samples = atRate(sound, config.rate);
    if (samples.length === 0) throw new InputError('the sound is empty');
    if (config.window === undefined) {
      const outputs = await run({ [input.name]: tensorOf(samples, plan) });
      return hasRows ? outputs : asOneSound(outputs);
    }
    const windows = windowsOf(samples, config, config.window);
    const isStateful = Object.keys(firstState).length > 0;
    if (hasRows && !isStateful) return inBatches(windows, plan, run);
    return inTurn(windows, plan, run);
  };
}

/** The windows of a sound, each after its context; the last one filled with silence. */
export function windowsOf(
  samples: Float32Array,
  { hop, context = 0 }: Pick<AudioConfig, 'hop' | 'context'>,
  window: number,
): readonly Float32Array[] {
  const step = hop ?? window;
  const count = Math.max(1, Math.ceil((samples.length - window) / step) + 1);
  return Array.from({ length: count }, (_, at) => {
    const shown = new Float32Array(context + window);
    const from = at * step - context;
    const known = samples.subarray(Math.max(0, from), at * step + window);
    shown.set(known, Math.max(0, -from));
    return shown;
  });
}

async function inTurn(
  windows: readonly Float32Array[],
  plan: Plan,
  run: (feeds: Tensors) => Promise<Tensors>,
): Promise<Tensors> {
  let state = plan.firstState;
  const results: Tensors[] = [];
  for (const window of windows) {
    const outputs = await run({ [plan.input.name]: tensorOf(window, plan), ...state });
    state = Object.fromEntries(
      Object.entries(plan.config.state ?? {}).map(([into, from]) => [
        into,
        outputs[from] as Tensor,
      ]),
    );
    const handedOn = new Set(Object.values(plan.config.state ?? {}));
    const told = Object.entries(outputs).filter(([name]) => !handedOn.has(name));
    results.push(Object.fromEntries(told.map(([name, tensor]) => [name, asOneRow(tensor)])));
  }
  return asOneSound(stack(results));
}

async function inBatches(
  windows: readonly Float32Array[],
  plan: Plan,
  run: (feeds: Tensors) => Promise<Tensors>,
): Promise<Tensors> {
  const results: Tensors[] = [];
  for (let from = 0; from < windows.length; from += windowsOfRun) {
    const some = windows.slice(from, from + windowsOfRun);
    const feeds = some.map((window) => ({ [plan.input.name]: tensorOf(window, plan) }));
    results.push(await run(stack(feeds)));
  }
  return asOneSound(stack(results));
}

/** What a window gave, as one row: [1, 1] stays, [] and [5] become [1] and [1, 5]. */
function asOneRow(tensor: Tensor): Tensor {
  return tensor.dims[0] === 1 ? tensor : { ...tensor, dims: [1, ...tensor.dims] };
}

function asOneSound(results: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(results).map(([name, tensor]) => {
      // One number a window is a list of numbers, not of lists.
      const isList = tensor.dims.length === 2 && tensor.dims[1] === 1;
      const dims = isList ? tensor.dims.slice(0, 1) : tensor.dims;
      return [name, { ...tensor, dims: [1, ...dims] }];
    }),
  );
}

function tensorOf(samples: Float32Array, { input }: Plan): Tensor {
  const { type, shape, name } = input;
  const dims = [...new Array<number>(Math.max(0, shape.length - 1)).fill(1), samples.length];
  const last = shape.at(-1);
  if (typeof last === 'number' && last !== samples.length) {
    throw new InputError(`input ${name} takes ${last} samples; the sound has ${samples.length}`);
  }
  return { type, dims, data: samples };
}

/** Zeros for each state; a free size is 1, for sounds go through one by one. */
function stateOf(
  { state = {} }: AudioConfig,
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
): Tensors {
  return Object.fromEntries(
    Object.entries(state).map(([into, from]) => {
      const spec = inputs.find(({ name }) => name === into);
      const source = outputs.find(({ name }) => name === from);
      if (spec === undefined) throw wrong(`state: the model has no input ${into}`);
      if (source === undefined) throw wrong(`state: the model has no output ${from}`);
      if (spec.type !== source.type || spec.type === elementType('string')) {
        throw wrong(`state: input ${into} and output ${from} do not fit`);
      }
      const dims = spec.shape.map((size) => (typeof size === 'number' ? size : 1));
      return [into, { type: spec.type, dims, data: spec.type.make(elementsOf(dims)) }];
    }),
  );
}

function wrong(what: string): ModelError {
  return new ModelError(`model_config.audio: ${what}`);
}
