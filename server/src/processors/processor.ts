// What a processor is: a model that was loaded, described, and answers calls. One process runs one
// processor behind the HTTP front. Kinds know this file and the front's helpers, never each other.

import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';

/** A JSON Schema of 2020-12; keywords that kinds write themselves are named for the compiler. */
export interface JsonSchema {
  readonly type?: string | readonly string[] | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly items?: JsonSchema | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: boolean | JsonSchema | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly [keyword: string]: unknown;
}

/** A field of the model's input or output. */
export interface Field {
  readonly name: string;
  /** Of one value. */
  readonly schema: JsonSchema;
  /** Of input: a row without it is refused. */
  readonly required: boolean;
}

/** What `GET /` answers, as JSON and in this order. */
export interface Description {
  /** `pmml`, `onnx`, `node`, `python`. */
  readonly kind: string;
  /** The name that the model gives itself, or that of its file. */
  readonly model: string;
  readonly about: string | undefined;
  /** Of the body of `POST /`. */
  readonly input: JsonSchema;
  /** Of its answer. */
  readonly output: JsonSchema;
  /** What only this kind has to tell, shown as it is. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** One call that the front has received whole. */
export interface Call {
  /** Upper case. */
  readonly method: string;
  /** Decoded, without the query: `/`, `/v2/models/NAME/infer`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; of repeated ones all, joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Aborted when the caller has gone, or the process must end at once. */
  readonly signal: AbortSignal;
}

interface AnswerHead {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An answer whole, or in pieces that go out as they come. A stream that throws cuts the answer. */
export type Answer =
  | (AnswerHead & { readonly body: Uint8Array; readonly stream?: undefined })
  | (AnswerHead & { readonly stream: AsyncIterable<Uint8Array>; readonly body?: undefined });

/** A loaded model. */
export interface Processor {
  readonly description: Description;
  /**
   * Answers every path but `GET /` and `GET /health`, several calls at a time. Throws InputError
   * for what the caller has to change; anything else it throws is the model's own mistake: 500.
   */
  answer(call: Call): Promise<Answer>;
  /** Resolves with the reason when the model is gone by itself; the process then ends, and is
   * started anew where something watches over it. undefined: it lives as long as the process. */
  readonly lost?: Promise<string> | undefined;
  /** Called once, when no call runs any more. */
  close(): Promise<void>;
}

/** What InputError may name, and the status it is answered with. */
export interface InputErrorOptions {
  readonly field?: string | undefined;
  /** From 0 in JSON; in CSV the number of the line, from 1 and the header counted. */
  readonly row?: number | undefined;
  /** 400 unless given; 404 for a path, 405 for a method, 415 for a content type. */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/** The caller's mistake, answered as a problem document that names field and row. */
export class InputError extends Error {
  readonly status: number;
  readonly field: string | undefined;
  readonly row: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, options: InputErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'InputError';
    this.status = options.status ?? 400;
    this.field = options.field;
    this.row = options.row;
    this.headers = options.headers ?? {};
  }
}

/**
 * The model cannot be used, and trying again cannot help: a file that is no model, an element that
 * is not supported, a config that does not fit. Thrown by `load`; the process says it in one line
 * and ends with 78 (EX_CONFIG).
 */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/** The model is gone, or the caller: the call is cut and not answered, so that it counts as lost
 * and not as failed. */
export class LostError extends Error {
  override readonly name = 'LostError';
}

export interface LoadOptions {
  /** Absolute path of a file or folder; '' for none. */
  readonly model: string;
  /** `processor_path`: absolute path of the program of kinds that run one, where that is not the
   * model itself. */
  readonly code: string | undefined;
  /** `processor_entry` or `model_entry`: a file inside of the folder. */
  readonly entry: string | undefined;
  /** `model_config` as it stands in service.json; the kind checks it, strictly. */
  readonly config: unknown;
  /** `metadata.rpc.batching`: rows that may be worked on together, and how long to wait for them. */
  readonly batching: Batching | undefined;
  /** Most calls that come at a time: `metadata.rpc.worker_threads`. */
  readonly window: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Batching {
  readonly sizeMax: number;
  readonly delayMs: number;
}

/** Each kind exports its `load` from `processors/KIND/load.ts`. Throws ModelError. */
export type Load = (options: LoadOptions) => Promise<Processor>;
