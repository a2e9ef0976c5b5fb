// The limits of both protocols as an operator sees them: which may be set, within which bounds, and
// what each one is. `sluice serve --limit NAME=VALUE` and the manual's page of settings come from
// this table; where a limit acts says limits.ts.

import { defaultEdgeLimits, type EdgeLimitName, type EdgeLimits } from './limits.ts';
import { defaultStreamLimits, type StreamLimitName, type StreamLimits } from './stream/limits.ts';

export interface LimitDescription {
  /** As refusals name it: `http.pollsMax`. */
  readonly name: string;
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  readonly sentence: string;
}

/** A limit that somebody wants, not checked yet. */
export interface WantedLimit {
  readonly name: string;
  readonly value: number;
}

export interface Limits {
  readonly edge: Partial<EdgeLimits>;
  readonly stream: Partial<StreamLimits>;
  readonly bodies: Partial<StoreLimits>;
  readonly models: Partial<ModelStoreLimits>;
}

/** Of the bodies that lie in files. */
export interface StoreLimits {
  readonly bytesMax: number;
}

/** What holds where nothing was set. */
export const defaultStoreLimits: StoreLimits = { bytesMax: 64 * 2 ** 30 };

/** Of the models that were fetched. */
export interface ModelStoreLimits {
  readonly modelBytesMax: number;
  readonly bytesMax: number;
}

/** What holds where nothing was set. */
export const defaultModelLimits: ModelStoreLimits = {
  modelBytesMax: 20 * 2 ** 30,
  bytesMax: 64 * 2 ** 30,
};

type Row = readonly [least: number, most: number, sentence: string];

const hourMs = 3_600_000;
const mebibyte = 2 ** 20;
/** More of anything is no limit. */
const many = 10_000_000;
const muchBytes = 2 ** 40;
/** The largest payload that any queue takes: less room than that would refuse it for ever. */
const payloadBytes = 31 * mebibyte;

const edgeRows: Readonly<
  Record<Exclude<EdgeLimitName, 'streamMessageBytesMax' | 'stopMs' | 'bindRetryMs'>, Row>
> = {
  headersBytesMax: [4096, mebibyte, 'Request line and headers together.'],
  headersMs: [100, hourMs, 'From the first byte of a request to the end of its headers.'],
  requestMs: [100, 24 * hourMs, 'From the first byte of a request to the end of its body.'],
  keepAliveMs: [1000, hourMs, 'How long a connection stays open between two requests.'],
  connectionsMax: [1, many, 'Open connections of one address, WebSockets included.'],
  pipelinedMax: [1, many, 'Requests without an answer on one connection; one more cuts it.'],
  pollsMax: [1, many, 'Long polls that wait at the same time.'],
  watchesMax: [1, many, 'EAS watches at the same time.'],
  pollMs: [0, 24 * hourMs, 'A poll with a longer `_timeout_` waits this long.'],
  bodiesBytesMax: [payloadBytes, muchBytes, 'Bodies on their way in, all connections together.'],
  formBytesMax: [1024, mebibyte, 'Form of a negative commit.'],
  discardBytesMax: [0, muchBytes, 'Rest of a refused body that is read away before the cut.'],
  stallMs: [100, hourMs, 'How long an answer may stand still before its connection is cut.'],
  pingMs: [100, hourMs, 'Time between two pings on a WebSocket.'],
  silenceMs: [200, 24 * hourMs, 'A WebSocket that sent nothing at all for this long is dropped.'],
};

const streamRows: Readonly<
  Record<Exclude<StreamLimitName, 'nameBytesMax' | 'progressBytesMax'>, Row>
> = {
  helloMs: [100, hourMs, 'From the opening of a connection to its hello.'],
  operationsMax: [16, 1_000_000, 'Operations of one connection that are not answered yet.'],
  bytesMax: [65_536, muchBytes, 'Payload bytes of these operations; one alone may have more.'],
  channelsMax: [1, 65_536, 'Queues that one connection may name.'],
  watchesMax: [1, 65_536, 'Watches of one connection.'],
  creditBytes: [262_144, 2 ** 30, 'Parts on their way to the server, on one connection.'],
  transferBytesMax: [
    payloadBytes,
    muchBytes,
    'Payloads that arrive in parts, all connections together.',
  ],
  bufferedBytes: [65_536, 2 ** 30, 'Above this nothing bulky is sent until the socket drains.'],
  unreadBytesMax: [mebibyte, muchBytes, 'Answers that the client does not read.'],
  takenMs: [100, hourMs, 'How long the messages of a get stay hidden until the client has them.'],
  pollMs: [0, 24 * hourMs, 'A longer poll waits this long.'],
  sessionMs: [0, 24 * hourMs, 'How long the answers of a lost connection are remembered.'],
  sessionsMax: [0, many, 'Lost connections whose answers are remembered.'],
  refusedOpensMax: [1, 1_000_000, 'Wrong tokens before a connection is closed.'],
};

const storeRows: Readonly<Record<keyof StoreLimits, Row>> = {
  bytesMax: [payloadBytes, muchBytes, 'Bodies and results in files, of all services together.'],
};

const modelRows: Readonly<Record<keyof ModelStoreLimits, Row>> = {
  modelBytesMax: [mebibyte, muchBytes, 'One model, as it is fetched and as it is unpacked.'],
  bytesMax: [mebibyte, muchBytes, 'Models that were fetched, of all services together.'],
};

/** Every limit that may be set, in the order of the manual. */
export const limitDescriptions: readonly LimitDescription[] = [
  ...described('http', edgeRows, defaultEdgeLimits),
  ...described('stream', streamRows, defaultStreamLimits),
  ...described('bodies', storeRows, defaultStoreLimits),
  ...described('models', modelRows, defaultModelLimits),
];

function described<Name extends string>(
  group: string,
  rows: Readonly<Record<Name, Row>>,
  fallbacks: Readonly<Record<Name, number>>,
): LimitDescription[] {
  // The keys of a table are what its type says; `Object.keys` cannot know that.
  return (Object.keys(rows) as Name[]).map((name) => {
    const [least, most, sentence] = rows[name];
    return { name: `${group}.${name}`, fallback: fallbacks[name], least, most, sentence };
  });
}

/** What is wrong with limits that are wanted, a line each; none: `limitsOf` may be asked. */
export function limitMistakes(wanted: readonly WantedLimit[]): readonly string[] {
  const mistakes: string[] = [];
  for (const { name, value } of wanted) {
    const known = limitDescriptions.find((each) => each.name === name);
    if (known === undefined) {
      mistakes.push(`limit: there is no limit ${name}; docs/settings.md lists them`);
    } else if (value < known.least || value > known.most) {
      mistakes.push(`limit: ${name} is from ${known.least} to ${known.most}, not ${value}`);
    }
  }
  const { headersMs, requestMs, pingMs, silenceMs } = {
    ...defaultEdgeLimits,
    ...limitsOf(wanted).edge,
  };
  if (headersMs > requestMs) mistakes.push('limit: http.headersMs is over http.requestMs');
  if (pingMs >= silenceMs) mistakes.push('limit: http.pingMs is not below http.silenceMs');
  return mistakes;
}

/** The limits as both protocols take them; the last of several counts. */
export function limitsOf(wanted: readonly WantedLimit[]): Limits {
  const groups: Record<string, Record<string, number>> = {
    http: {},
    stream: {},
    bodies: {},
    models: {},
  };
  for (const { name, value } of wanted) {
    const [group = '', key = ''] = name.split('.');
    const into = groups[group];
    if (into !== undefined && limitDescriptions.some((each) => each.name === name)) {
      into[key] = value;
    }
  }
  return {
    edge: { ...groups.http },
    stream: { ...groups.stream },
    bodies: { ...groups.bodies },
    models: { ...groups.models },
  };
}
