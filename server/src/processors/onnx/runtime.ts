// The door to onnxruntime-node, a package that users install beside Sluice when they want it: 290
// MB are too much for those who don't. Everything else here knows sessions and tensors only.

import { ModelError } from '../processor.ts';
import { type Elements, elementType } from './element.ts';
import type { Tensor, TensorSpec, Tensors } from './tensor.ts';

/** A loaded model. */
export interface Session {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Blocks the thread while it computes. Rejects with onnxruntime's words. */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors>;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** Of one run; undefined: one a core. */
  readonly threads: number | undefined;
}

// What is used of the package, so that it need not be there to compile.
export interface Runtime {
  readonly InferenceSession: {
    create(path: string, options: Readonly<Record<string, unknown>>): Promise<NativeSession>;
  };
  readonly Tensor: new (type: string, data: Elements, dims: readonly number[]) => NativeTensor;
}
export interface NativeSession {
  readonly inputMetadata: readonly NativeSpec[];
  readonly outputMetadata: readonly NativeSpec[];
  run(
    feeds: Readonly<Record<string, NativeTensor>>,
    outputs?: readonly string[],
  ): Promise<Readonly<Record<string, NativeTensor>>>;
  release(): Promise<void>;
}
export interface NativeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Elements;
}
export interface NativeSpec {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** Loads a model file. Throws ModelError when it is none, or the package is missing. */
export async function openSession(path: string, { threads }: SessionOptions): Promise<Session> {
  const runtime = await findRuntime();
  const native = await createSession(runtime, path, threads);
  return {
    inputs: native.inputMetadata.map((spec) => specOf(spec, 'input')),
    outputs: native.outputMetadata.map((spec) => specOf(spec, 'output')),
    async run(feeds, outputs) {
      const given = Object.entries(feeds).map(
        ([name, { type, data, dims }]) =>
          [name, new runtime.Tensor(type.name, data, dims)] as const,
      );
      const results = await native.run(Object.fromEntries(given), outputs);
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [name, fromNative(name, tensor)]),
      );
    },
    close: () => native.release(),
  };
}

/** The package, as it is installed beside Sluice. Throws ModelError that says what to run. */
export async function findRuntime(packageName: string = 'onnxruntime-node'): Promise<Runtime> {
  try {
    const found: { readonly default?: Runtime } & Runtime = await import(packageName);
    return found.default ?? found;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(packageName)) {
      throw new ModelError(
        `ONNX models need the package ${packageName}, which is not installed beside Sluice: ` +
          `npm install ${packageName}@1.30.0 --onnxruntime-node-install=skip`,
        { cause },
      );
    }
    throw new ModelError(`${packageName} can't be loaded: ${firstLine(message)}`, { cause });
  }
}

async function createSession(
  runtime: Runtime,
  path: string,
  threads: number | undefined,
): Promise<NativeSession> {
  try {
    return await runtime.InferenceSession.create(path, {
      graphOptimizationLevel: 'all',
      interOpNumThreads: 1,
      // An error of a run is thrown as well, and answered; the rest is worth a line to nobody.
      logSeverityLevel: 4,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    });
  } catch (cause) {
    const why = cause instanceof Error ? firstLine(cause.message) : String(cause);
    throw new ModelError(`the model can't be loaded: ${why}`, { cause });
  }
}

function specOf({ name, isTensor, type = '', shape = [] }: NativeSpec, what: string): TensorSpec {
  if (!isTensor) {
    throw new ModelError(
      `${what} ${name} is a sequence or a map; only tensors are carried ` +
        '(skl2onnx: convert with options={"zipmap": False})',
    );
  }
  const known = elementType(type);
  if (known === undefined) throw new ModelError(`${what} ${name} has the type ${type}`);
  return { name, type: known, shape };
}

function fromNative(name: string, { type, dims, data }: NativeTensor): Tensor {
  const known = elementType(type);
  if (known === undefined) throw new Error(`output ${name} has the type ${type}`);
  // Where JavaScript has a Float16Array it comes as that; here its bits are wanted.
  const isBits = type !== 'float16' || data instanceof Uint16Array;
  if (isBits) return { type: known, dims, data };
  const { buffer, byteOffset, length } = data as unknown as Uint16Array;
  return { type: known, dims, data: new Uint16Array(buffer, byteOffset, length) };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}
