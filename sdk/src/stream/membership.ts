// What a worker of another machine and the server tell one another in a `report` and its answer:
// how the instance is, and what the service wants of its workers. On the wire both are names and
// texts, so that either side may say more in a later version; unknown names are passed over.

import type { LastExit } from '../admin-types.ts';
import { PlatformError } from '../errors.ts';
import type { Tags } from '../tags.ts';

/** How an instance on another machine is, in its worker's words. */
export interface WorkerReport {
  /** `process` or `endpoint`. */
  readonly source: string;
  /** The name of the machine. */
  readonly host: string;
  /** Of the worker itself. */
  readonly pid: number;
  /** Of the worker's program. */
  readonly version: string;
  /** A word such as `Running`. */
  readonly state: string;
  /** Why it is in that state; may be empty. */
  readonly reason: string;
  /** Where the model server listens, on that machine; empty while unknown. */
  readonly address: string;
  readonly window: number;
  /** Of the model server. */
  readonly restarts: number;
  /** Wall clock of the model server's start in milliseconds, 0 = not started. */
  readonly startedAt: number;
  /** The revision of the service whose terms the worker follows. */
  readonly revision: number;
  /** How the run of the model server before this one ended; null: there was none. */
  readonly lastExit: LastExit | null;
  /** Calls to the model that have ended and were not told of yet; `callsBefore` were. */
  readonly calls: readonly EndedCall[];
  readonly callsBefore: number;
  /** The number of the last order to be replaced that was followed; 0 = none. */
  readonly replaced: number;
}

/** How a call to the model ended; `voided`: its lease was taken away; `shutdown`: it was cut to
 * leave in time; `dead`: with its instance. */
export type CallOutcome =
  | 'succeeded'
  | 'failed'
  | 'retry'
  | 'refused'
  | 'timeout'
  | 'voided'
  | 'shutdown'
  | 'dead';

export interface EndedCall {
  readonly outcome: CallOutcome;
  readonly durationMs: number;
}

/** What a service wants of its workers, as its service.json says. */
export interface WorkTerms {
  readonly revision: number;
  readonly window: number;
  /** Longest call to the model; 0 = no limit. */
  readonly keepaliveMs: number;
  /** Where a put without a path of its own goes. */
  readonly path: string;
  /** Further paths that a put may name. */
  readonly paths: readonly string[];
  readonly method: string;
  readonly contentType: string;
  /** Statuses to be counted and tried again beside those that always are. */
  readonly retryStatuses: readonly number[];
  readonly releaseAfterMs: number;
  /** The largest result that the sink takes now. */
  readonly resultBytesMax: number;
  /** The largest result of a request that keeps it apart from the sink; 0 = none larger than the
   * sink takes. */
  readonly keptBytesMax: number;
  /** What the model gets of a body that lies at an address. */
  readonly input: 'bytes' | 'address';
  /** The instance is to end and to be started anew: once its work is done, or now, its work given
   * back. Said until a report names its number. */
  readonly replace?: ReplaceOrder | undefined;
  /** What stops the model when a request that it works on is canceled; undefined: nothing does. */
  readonly cancel?: CancelTerms | undefined;
}

export interface CancelTerms {
  /** Called on the instance; undefined: there is nothing to call. */
  readonly path: string | undefined;
  readonly method: string;
  readonly graceMs: number;
  readonly endsInstance: boolean;
}

export interface ReplaceOrder {
  /** Rises. */
  readonly number: number;
  readonly how: 'drain' | 'now';
}

const callOutcomes: Readonly<Record<CallOutcome, true>> = {
  ...{ succeeded: true, failed: true, retry: true, refused: true },
  ...{ timeout: true, voided: true, shutdown: true, dead: true },
};

/** Calls told of in one report, most. */
export const reportedCallsMax = 250;

/** Last lines of a run, most, and characters of each. */
const linesMax = 10;
const lineMax = 200;

/** Longest text of one fact; a longer one is cut. */
const charactersMax = 512;

export function writeReport({ lastExit, calls, ...report }: WorkerReport): Tags {
  const facts = new Map(
    Object.entries(report).map(([name, value]) => [name, cut(String(value))] as const),
  );
  if (lastExit !== null) facts.set('lastExit', JSON.stringify(shortened(lastExit)));
  if (calls.length > 0) {
    const lines = calls.map(({ outcome, durationMs }) => `${outcome} ${Math.round(durationMs)}`);
    facts.set('calls', lines.join('\n'));
  }
  return facts;
}

/** Throws `bad_request` when a number is none or the state is no word. */
export function readReport(facts: Tags): WorkerReport {
  const text = (name: keyof WorkerReport): string => cut(facts.get(name) ?? '');
  const number = (name: keyof WorkerReport): number => wholeOf(name, facts.get(name) ?? '0');
  const state = text('state');
  if (!/^[A-Za-z]{1,32}$/.test(state)) throw mistake('state', 'a word');
  return {
    source: text('source'),
    host: text('host'),
    pid: number('pid'),
    version: text('version'),
    state,
    reason: text('reason'),
    address: text('address'),
    window: number('window'),
    restarts: number('restarts'),
    startedAt: number('startedAt'),
    revision: number('revision'),
    lastExit: exitOf(facts.get('lastExit')),
    calls: callsOf(facts.get('calls')),
    callsBefore: number('callsBefore'),
    replaced: number('replaced'),
  };
}

function shortened(exit: LastExit): LastExit {
  const lines = exit.lines.slice(-linesMax).map((line) => cut(line).slice(0, lineMax));
  return { ...exit, reason: cut(exit.reason), lines };
}

function exitOf(text: string | undefined): LastExit | null {
  if (text === undefined) return null;
  try {
    // The shape is checked right below.
    const { code, signal, reason, startedAt, endedAt, lines } = JSON.parse(text) as LastExit;
    const isCode = code === null || Number.isSafeInteger(code);
    const isWhole = isCode && Array.isArray(lines);
    const texts = [reason, startedAt, endedAt, signal ?? '', ...(isWhole ? lines : [])];
    if (isWhole && texts.every((each) => typeof each === 'string')) {
      const instants = { startedAt: cut(startedAt), endedAt: cut(endedAt) };
      return shortened({ code, signal: signal && cut(signal), reason, ...instants, lines });
    }
  } catch {
    // Refused below.
  }
  throw mistake('lastExit', 'an end');
}

/** Outcomes that are not known here are passed over. */
function callsOf(text: string | undefined): readonly EndedCall[] {
  if (text === undefined || text === '') return [];
  return text.split('\n', reportedCallsMax).flatMap((line) => {
    const [word, duration = ''] = line.split(' ');
    return isOutcome(word) ? [{ outcome: word, durationMs: wholeOf('calls', duration) }] : [];
  });
}

function isOutcome(word: string | undefined): word is CallOutcome {
  return word !== undefined && Object.hasOwn(callOutcomes, word);
}

export function writeTerms({ paths, retryStatuses, replace, cancel, ...terms }: WorkTerms): Tags {
  const facts = new Map(
    Object.entries(terms).map(([name, value]) => {
      return [name, typeof value === 'number' ? String(Math.round(value)) : value];
    }),
  );
  // No path has a line break in it.
  facts.set('paths', paths.join('\n'));
  facts.set('retryStatuses', retryStatuses.join(' '));
  if (cancel !== undefined) {
    const { path = '', method, graceMs, endsInstance } = cancel;
    const how = endsInstance ? 'end' : 'keep';
    facts.set('cancel', `${method} ${Math.round(graceMs)} ${how} ${path}`);
  }
  if (replace !== undefined) facts.set('replace', `${replace.number} ${replace.how}`);
  return facts;
}

/** Throws `bad_request` when something is missing that a worker must know. */
export function readTerms(facts: Tags): WorkTerms {
  const text = (name: keyof WorkTerms): string => {
    const value = facts.get(name);
    if (value === undefined) throw mistake(name, 'told');
    return value;
  };
  const number = (name: keyof WorkTerms): number => wholeOf(name, text(name));
  const list = (name: keyof WorkTerms, between: string): readonly string[] =>
    text(name)
      .split(between)
      .filter((item) => item !== '');
  return {
    revision: number('revision'),
    window: number('window'),
    keepaliveMs: number('keepaliveMs'),
    path: text('path'),
    paths: list('paths', '\n'),
    method: text('method'),
    contentType: text('contentType'),
    retryStatuses: list('retryStatuses', ' ').map((item) => wholeOf('retryStatuses', item)),
    releaseAfterMs: number('releaseAfterMs'),
    resultBytesMax: number('resultBytesMax'),
    // A server that says nothing of it takes none.
    keptBytesMax: wholeOf('keptBytesMax', facts.get('keptBytesMax') ?? '0'),
    input: facts.get('input') === 'address' ? 'address' : 'bytes',
    replace: orderOf(facts.get('replace')),
    cancel: cancelOf(facts.get('cancel')),
  };
}

function cancelOf(text: string | undefined): CancelTerms | undefined {
  const [method, graceMs = '', how, ...rest] = (text ?? '').split(' ');
  if (method === undefined || method === '') return undefined;
  const grace = wholeOf('cancel', graceMs);
  const path = rest.join(' ') || undefined;
  return { path, method, graceMs: grace, endsInstance: how === 'end' };
}

/** Passed over when it is of a kind that is not known here. */
function orderOf(text: string | undefined): ReplaceOrder | undefined {
  const [number = '', how] = (text ?? '').split(' ');
  return how === 'drain' || how === 'now' ? { number: wholeOf('replace', number), how } : undefined;
}

function wholeOf(name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < 0) throw mistake(name, 'a number');
  return value;
}

function mistake(name: string, what: string): PlatformError {
  return new PlatformError('bad_request', `The fact ${name} of a worker is not ${what}.`);
}

/** Short, and on one line: these texts come from elsewhere and end in tables and logs. */
function cut(text: string): string {
  return text.slice(0, charactersMax).replaceAll(/\p{Cc}/gu, ' ');
}
