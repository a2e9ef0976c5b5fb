// Text or JSON value → checked declaration. All mistakes at once, each with its place; what was
// accepted without effect is told.

import { PlatformError } from '@sluice/sdk/wire';
import { parseJsonc } from '../config/jsonc.ts';
import type { RequestSettings } from '../deployment/requests.ts';
import type { ScalingPolicy } from '../deployment/scaling.ts';
import { isAtOrBelow } from './changes.ts';
import { expectedAt, isObject } from './fields-tree.ts';
import type { ServiceFile } from './file.ts';
import { instanceSettings } from './instance-settings.ts';
import { nameProblem } from './name.ts';
import { queueSettings } from './queue-settings.ts';
import { scalingPolicy } from './scaling-policy.ts';
import { fileSchema } from './schema.ts';
import type { ServiceSpec, TokenWish } from './spec.ts';
import { type Problem, settle } from './spelling.ts';

export interface ParseOptions {
  /** Refuse every unknown field. */
  readonly strict: boolean;
  /** Whether a service without a token is possible: Sluice listens on loopback only. */
  readonly openAllowed: boolean;
}

export interface ParsedService {
  readonly spec: ServiceSpec;
  /** The file as it was given, fields without effect included: a later version may know them. */
  readonly file: Readonly<Record<string, unknown>>;
  /** In the nested spelling, known fields only, values as they were written. */
  readonly settled: Readonly<Record<string, unknown>>;
  /** In one spelling, with every default: two files mean the same when these are equal. */
  readonly complete: Readonly<Record<string, unknown>>;
  /** Whole sentences for the user. */
  readonly warnings: readonly string[];
}

export type ParseOutcome =
  | { readonly ok: true; readonly service: ParsedService }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** All mistakes of a file; `mistakes` has a line for each, `problems` the same in parts. */
export class ServiceFileError extends PlatformError {
  readonly problems: readonly Problem[];
  readonly mistakes: readonly string[];

  constructor(problems: readonly Problem[]) {
    const { length } = problems;
    super('bad_request', `service.json has ${length} mistake${length === 1 ? '' : 's'}`);
    this.problems = problems;
    this.mistakes = problems.map(({ path, message }) =>
      path === '' ? message : `${path}: ${message}`,
    );
  }
}

/** As `checkService`, but throws a `ServiceFileError`. */
export function parseService(input: unknown, options: ParseOptions): ParsedService {
  const outcome = checkService(input, options);
  if (outcome.ok) return outcome.service;
  throw new ServiceFileError(outcome.problems);
}

/** Checks a declaration, given as text (comments and trailing commas allowed) or JSON value. */
export function checkService(input: unknown, options: ParseOptions): ParseOutcome {
  const value = readInput(input);
  if (value instanceof SyntaxError) {
    return { ok: false, problems: [{ path: '', message: `not JSON: ${value.message}` }] };
  }
  const settled = settle(value);
  const { file, problems: wrongValues } = checkValues(settled.value);
  const early = [...settled.problems, ...wrongValues];
  const late: Problem[] = [];
  const warnings: string[] = [];
  const spec = file === undefined ? undefined : specOf(file, { options, problems: late, warnings });
  const problems = [...early, ...late.filter((problem) => !followsFrom(problem, early))];
  if (options.strict) {
    problems.push(...settled.unknown.map((path) => ({ path, message: 'is unknown' })));
  } else if (settled.unknown.length > 0) {
    warnings.push(`unknown, accepted without effect: ${settled.unknown.join(', ')}`);
  }
  if (settled.ignored.length > 0) {
    warnings.push(`accepted without effect here: ${settled.ignored.join(', ')}`);
  }
  if (file === undefined || spec === undefined || !isObject(value) || problems.length > 0) {
    return { ok: false, problems };
  }
  const complete = { ...file, ...completion(file, spec) };
  return { ok: true, service: { spec, file: value, settled: settled.value, complete, warnings } };
}

/** What a file may leave out or say in another place. */
function completion(file: ServiceFile, spec: ServiceSpec): Readonly<Record<string, unknown>> {
  const { name, instances } = spec;
  return {
    $schema: undefined,
    name: undefined,
    metadata: { ...file.metadata, name, type: 'Async', instance: instances.count },
    request: { ...file.request, path: instances.request.path },
    endpoint: typeof file.endpoint === 'string' ? [file.endpoint] : file.endpoint,
  };
}

function readInput(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  try {
    return parseJsonc(input);
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}

interface Checked {
  /** undefined: so much is wrong that the fields can't be looked at together. */
  readonly file: ServiceFile | undefined;
  readonly problems: readonly Problem[];
}

/** Wrong values are noted and taken out, so that rules over several fields are checked too. */
function checkValues(value: Readonly<Record<string, unknown>>): Checked {
  const first = fileSchema.safeParse(value);
  if (first.success) return { file: first.data, problems: [] };
  const problems: Problem[] = [];
  const rest: unknown = structuredClone(value);
  for (const issue of first.error.issues) {
    problems.push({ path: placeOf(issue.path), message: messageOf(issue, value) });
    takeOut(rest, issue.path);
  }
  return { file: fileSchema.safeParse(rest).data, problems };
}

function placeOf(path: readonly PropertyKey[]): string {
  let place = '';
  for (const part of path) {
    if (typeof part === 'number') place += `[${part}]`;
    else place += place === '' ? String(part) : `.${String(part)}`;
  }
  return place;
}

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Messages of our own begin with `must`; for the others the schema says what was expected. */
function messageOf(issue: Issue, value: unknown): string {
  if (issue.message.startsWith('must ')) return issue.message;
  const given = valueAt(value, issue.path);
  if (given === undefined) return 'is required';
  const isSecret = ['token', 'dockerAuth'].some((name) => issue.path[0] === name);
  const isHidden = isSecret || issue.path.includes('env');
  return `must be ${expectedAt(issue.path)}${isHidden ? '' : `, not ${shortText(given)}`}`;
}

function shortText(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let inner = value;
  for (const part of path) inner = isContainer(inner) ? Reflect.get(inner, part) : undefined;
  return inner;
}

/** Of a list with a wrong item the whole list goes: a gap in it would be the next mistake. */
function takeOut(value: unknown, path: readonly PropertyKey[]): void {
  const parent = valueAt(value, path.slice(0, -1));
  if (Array.isArray(parent)) {
    takeOut(value, path.slice(0, -1));
    return;
  }
  const last = path.at(-1);
  if (isContainer(parent) && last !== undefined) Reflect.deleteProperty(parent, last);
}

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null;

interface SpecContext {
  readonly options: ParseOptions;
  readonly problems: Problem[];
  readonly warnings: string[];
}

function specOf(file: ServiceFile, context: SpecContext): ServiceSpec {
  const { problems, warnings } = context;
  const name = nameOf(file, problems);
  if (file.metadata.type === undefined) {
    warnings.push('metadata.type: is missing and taken as "Async"');
  }
  const policy = file.autoscaler && scalingPolicy(name, file.autoscaler, problems);
  const instances = instanceSettings(file, { ...context, scaling: policy });
  const declaresInstances =
    instances.source.kind !== 'none' && (instances.count > 0 || file.autoscaler !== undefined);
  const { source } = instances;
  if (source.kind === 'pending') warnings.push(`instances stay pending: ${source.missing}`);
  const isScaled = source.kind !== 'none' && source.kind !== 'endpoint';
  if (policy !== undefined && !isScaled) {
    const why = source.kind === 'none' ? 'there is nothing to start' : 'its servers run anyway';
    warnings.push(`autoscaler: has no effect, because ${why}`);
  } else if (policy !== undefined) warnOfRange(policy, instances.count, warnings);
  return {
    name,
    labels: file.labels,
    token: tokenWish(file.token, context),
    queues: queueSettings(file.queue, { ...context, declaresInstances }),
    requests: requestSettings(file),
    instances,
    scaling: isScaled ? policy : undefined,
  };
}

function requestSettings({ requests, fetch, callbacks }: ServiceFile): RequestSettings {
  return {
    bytesMax: requests.max_bytes,
    resultBytesMax: requests.max_result_bytes,
    input: requests.input,
    onLeave: requests.on_leave,
    fetch: { allow: fetch.allow, buckets: fetch.s3_buckets },
    callbacks: {
      allow: callbacks.allow,
      resultBytesMax: callbacks.max_result_size_kb * 1024,
      timeoutMs: callbacks.timeout,
    },
  };
}

function warnOfRange({ min, max }: ScalingPolicy, count: number, warnings: string[]): void {
  if (count >= min && count <= max) return;
  const nearest = count < min ? min : max;
  warnings.push(
    `metadata.instance: ${count} is outside of autoscaler.min and max; it begins with ${nearest}`,
  );
}

function nameOf(file: ServiceFile, problems: Problem[]): string {
  const { name: newer } = file.metadata;
  const name = newer ?? file.name;
  if (name === undefined) {
    problems.push({ path: 'metadata.name', message: 'is required' });
    return '';
  }
  const path = newer === undefined ? 'name' : 'metadata.name';
  const problem = nameProblem(name);
  if (problem !== undefined) problems.push({ path, message: problem });
  if (file.name !== undefined && file.name !== name) {
    problems.push({ path: 'name', message: 'differs from metadata.name; give one of them' });
  }
  return name;
}

function tokenWish(token: string | undefined, context: SpecContext): TokenWish {
  if (token === undefined) return { kind: 'generated' };
  if (token !== '') return { kind: 'given', secret: token };
  if (!context.options.openAllowed) {
    context.problems.push({
      path: 'token',
      message:
        'is empty: an open service is possible only while Sluice listens on loopback alone; ' +
        'give a token, or leave the field out and one is made',
    });
  }
  return { kind: 'open' };
}

/** Where the values stand that a mistake at a place may come from. */
const sources: Readonly<Record<string, readonly string[]>> = {
  'metadata.instance': ['endpoint', 'containers'],
};

/** A value that was taken out for its own mistake may leave a gap that is not the user's. */
function followsFrom({ path }: Problem, early: readonly Problem[]): boolean {
  const places = [path, ...(sources[path] ?? [])];
  return early.some(
    (other) => other.path === '' || places.some((place) => isAtOrBelow(other.path, place)),
  );
}
