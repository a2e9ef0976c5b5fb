// A session with what surrounds each run: values that are always the same, shapes checked against
// the model's own, and rows of several calls stacked to one run where batching is set.

import type { Clock } from '../../kernel/clock.ts';
import { type Batching, InputError, ModelError } from '../processor.ts';
import { type BatchCounts, Batcher } from './batcher.ts';
import type { Session } from './runtime.ts';
import { cut, hasBatchAxis, rowsOf, stack, stackKey, unstack } from './stack.ts';
import {
  checkedCount,
  type Tensor,
  type TensorSpec,
  type Tensors,
  tensorFromJson,
} from './tensor.ts';

export interface ModelOptions {
  readonly session: Session;
  readonly constants: Readonly<Record<string, unknown>>;
  /** undefined: as the shapes say. */
  readonly rows: boolean | undefined;
  /** Inputs that a helper feeds itself, from run to run: no rows of different calls mix then. */
  readonly states: readonly string[];
  readonly batching: Batching | undefined;
  readonly clock: Clock;
}

/** Rows of one request that are stacked to one run where no batching is set. */
const rowsOfRunMax = 64;

export class Model {
  /** Those that a caller gives. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Whether the first axis counts rows. */
  readonly hasRows: boolean;
  readonly #session: Session;
  readonly #constants: Tensors;
  readonly #rowsMax: number;
  readonly #batcher: Batcher<Tensors, Tensors> | undefined;

  constructor({ session, constants, rows, states, batching, clock }: ModelOptions) {
    this.#session = session;
    this.#constants = constantTensors(session.inputs, constants);
    this.inputs = session.inputs.filter(({ name }) => !Object.hasOwn(constants, name));
    this.outputs = session.outputs;
    this.hasRows = rows ?? hasBatchAxis(session, new Set(Object.keys(constants)));
    this.#rowsMax = batching?.sizeMax ?? rowsOfRunMax;
    const mayBatch = this.hasRows && states.length === 0 && batching !== undefined;
    if (mayBatch && batching.sizeMax > 1) this.#batcher = this.#makeBatcher(batching, clock);
  }

  /** How well batches were filled; undefined: there are none across calls. */
  get counts(): BatchCounts | undefined {
    return this.#batcher?.counts;
  }

  /** All outputs for feeds of one call. Throws InputError for feeds that do not fit the model. */
  async run(feeds: Tensors, signal: AbortSignal): Promise<Tensors> {
    this.#check(feeds);
    signal.throwIfAborted();
    if (this.#batcher !== undefined) return this.#batcher.submit(feeds, signal);
    return this.#session.run({ ...feeds, ...this.#constants });
  }

  /** The outputs of many feeds of one row each, in their order, stacked where they fit together. */
  async runAll(all: readonly Tensors[], signal: AbortSignal): Promise<readonly Tensors[]> {
    const results = new Array<Tensors>(all.length);
    await Promise.all(
      this.#portions(all).map(async (places) => {
        const feeds = stack(places.map((at) => all[at] ?? {}));
        const outputs = await this.run(feeds, signal);
        const isOne = places.length === 1;
        const parts = isOne
          ? [outputs]
          : unstack(
              outputs,
              places.map(() => 1),
            );
        for (const [part, at] of places.entries()) results[at] = parts[part] ?? {};
      }),
    );
    return results;
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #makeBatcher(batching: Batching, clock: Clock): Batcher<Tensors, Tensors> {
    return new Batcher({
      rowsMax: batching.sizeMax,
      delayMs: batching.delayMs,
      clock,
      keyOf: stackKey,
      rowsOf,
      run: async (items) => {
        const outputs = await this.#session.run({ ...stack(items), ...this.#constants });
        return items.length === 1 ? [outputs] : unstack(outputs, items.map(rowsOf));
      },
    });
  }

  /** Places of feeds that go into one run each. */
  #portions(all: readonly Tensors[]): readonly (readonly number[])[] {
    if (!this.hasRows) return all.map((_, at) => [at]);
    const open = new Map<string, number[]>();
    const portions: number[][] = [];
    for (const [at, feeds] of all.entries()) {
      const key = stackKey(feeds);
      const portion = open.get(key);
      if (portion !== undefined && portion.length < this.#rowsMax) {
        portion.push(at);
      } else {
        const fresh = [at];
        open.set(key, fresh);
        portions.push(fresh);
      }
    }
    return portions;
  }

  #check(feeds: Tensors): void {
    for (const name of Object.keys(feeds)) {
      if (this.inputs.some((spec) => spec.name === name)) continue;
      throw new InputError(`the model has no input ${name}; it has ${this.#names()}`, {
        field: name,
      });
    }
    const sizes = new Map<string, number>();
    for (const spec of this.inputs) {
      const tensor = feeds[spec.name];
      if (tensor === undefined) {
        throw new InputError(`input ${spec.name} is missing`, { field: spec.name });
      }
      checkTensor(tensor, spec, sizes);
    }
    if (this.hasRows) rowsOf(feeds);
  }

  #names(): string {
    return this.inputs.map(({ name }) => name).join(', ');
  }
}

/** One row out of many, as a tensor with one row. */
export function rowOf(outputs: Tensors, row: number): Tensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, cut(tensor, row, 1)] as const),
  );
}

function checkTensor(tensor: Tensor, spec: TensorSpec, sizes: Map<string, number>): void {
  if (tensor.type !== spec.type) {
    const message = `input ${spec.name} is ${tensor.type.name}; the model takes ${spec.type.name}`;
    throw new InputError(message, { field: spec.name });
  }
  checkedCount(tensor.dims, spec);
  // Sizes of one name are equal: onnxruntime finds out late, and in words about nodes.
  for (const [at, dim] of spec.shape.entries()) {
    if (typeof dim === 'number' || dim === '') continue;
    const size = tensor.dims[at] ?? 0;
    const known = sizes.get(dim);
    sizes.set(dim, size);
    if (known === undefined || known === size) continue;
    const message = `input ${spec.name}: its size ${dim} is ${size}, elsewhere ${known}`;
    throw new InputError(message, { field: spec.name });
  }
}

function constantTensors(
  inputs: readonly TensorSpec[],
  constants: Readonly<Record<string, unknown>>,
): Tensors {
  const tensors = Object.entries(constants).map(([name, value]) => {
    const spec = inputs.find((each) => each.name === name);
    if (spec === undefined) {
      throw new ModelError(`model_config.constants: the model has no input ${name}`);
    }
    try {
      return [name, tensorFromJson(value, spec)] as const;
    } catch (cause) {
      throw new ModelError(`model_config.constants: ${(cause as Error).message}`, { cause });
    }
  });
  return Object.fromEntries(tensors);
}
