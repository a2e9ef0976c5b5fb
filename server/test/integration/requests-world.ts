// The request API over real queues, workers and model servers, on the engine in memory; and a
// client that holds every answer to the server's own OpenAPI document.

import type { RequestInfo } from '@sluice/sdk/wire';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { AccessSettings } from '../../src/http/access.ts';
import { openApiDocument } from '../../src/http/api/openapi.ts';
import type { HostedService } from '../../src/http/directory.ts';
import type { EdgeLimits } from '../../src/http/limits.ts';
import type { RequestHost } from '../../src/http/requests/host.ts';
import { RequestMeters } from '../../src/http/requests/meters.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { RequestDesk } from '../../src/requests/desk.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import { Worker } from '../../src/worker/worker.ts';
import { AnswerCheck } from '../answer-check.ts';
import { nothingTold } from '../unit/request-world.ts';
import { atEnd, type CallOptions, call, serviceOf, startEdge } from './eas-world.ts';
import {
  type Model,
  type Answer as ModelAnswer,
  plainSettings,
  startModel,
} from './worker-world.ts';

export const adminToken = 'the-admin-token-of-the-test';
/** Below which the service of the world is. */
export const base = '/v1/services/svc';

const check = new AnswerCheck(openApiDocument([], 'test'));

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Buffer;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

export interface RequestsWorld {
  readonly port: number;
  readonly queues: Queues;
  readonly desk: RequestHost;
  readonly meters: RequestMeters;
  readonly stop: () => Promise<void>;
  /** One call; the path stands below the address of the service. */
  ask(method: string, path: string, options?: CallOptions): Promise<ApiAnswer>;
  /** Submits, and answers the request as the server did. */
  submit(body?: string, headers?: Readonly<Record<string, string>>): Promise<RequestInfo>;
  /** Starts a worker in front of a new model server. */
  instance(answer: ModelAnswer, window?: number): Promise<Model>;
  /** The model answers with what it was given. */
  echo(): Promise<Model>;
}

type Method = Exclude<keyof RequestHost, 'dead'>;

type DeskChange = {
  readonly [Name in Method]?: (
    real: RequestHost,
    ...of: Parameters<RequestHost[Name]>
  ) => ReturnType<RequestHost[Name]>;
};

export interface RequestsWorldOptions {
  readonly settings?: Partial<ServiceSettings>;
  readonly service?: Partial<HostedService>;
  readonly limits?: Partial<EdgeLimits>;
  readonly access?: AccessSettings;
  /** Of the edge alone. */
  readonly clock?: Clock;
  /** Changes what the desk says, for what real queues do once in a blue moon. */
  readonly change?: DeskChange;
}

/** Ends with the test; `closeWorld` of eas-world.ts has to be called after each. */
export async function openRequests(options: RequestsWorldOptions = {}): Promise<RequestsWorld> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const broker = new Broker({ engine: new MemoryEngine(), clock, random, log });
  await broker.start();
  atEnd(() => broker.stop());
  const settings = { ...defaultSettings, declaresInstances: true, ...options.settings };
  const queues = await broker.open({ number: 1, name: 'svc', settings });
  const real = new RequestDesk({
    find: () => queues,
    tell: () => nothingTold,
    callbackMs: 0,
    retentionMs: () => 0,
    clock,
  });
  const desk = changed(real, options.change ?? {});
  const meters = new RequestMeters();
  const events = async function* (): AsyncGenerator<never> {};
  const { edge, port } = await startEdge([serviceOf(queues, options.service)], {
    adminToken,
    requests: { desk, meters, events },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.access === undefined ? {} : { access: options.access }),
    clock: options.clock ?? clock,
  });
  const ask = async (method: string, path: string, how: CallOptions = {}): Promise<ApiAnswer> => {
    const whole = path.startsWith('/v1') ? path : `${base}/${path}`;
    const answer = await call(port, whole, { ...how, method });
    const { status, headers, text } = answer;
    check.check({ method, path: whole, status, type: headers['content-type'], text });
    return { ...answer, json: () => JSON.parse(text) };
  };
  const instance = async (answer: ModelAnswer, window = 1): Promise<Model> => {
    const model = await startModel(answer);
    atEnd(() => model.close());
    const worker = new Worker({
      service: 'svc',
      instance: `svc-${model.port}`,
      source: queues,
      model: new HttpModelClient({ origin: model.origin, clock }),
      basePath: '/',
      settings: {
        ...plainSettings,
        window,
        request: { ...plainSettings.request, paths: ['/v1'] },
      },
      answerBytesMax: () => queues.view('sink').payloadBytesMax,
      cutGraceMs: 0,
      leftBehind: 0,
      ...{ clock, random, log },
      observe: () => undefined,
    });
    worker.start();
    atEnd(() => worker.drain(AbortSignal.abort()));
    return model;
  };
  return {
    port,
    queues,
    desk,
    meters,
    stop: () => edge.stop(),
    ask,
    instance,
    echo: () =>
      instance(({ body, headers }, response) => {
        response.setHeader('content-type', headers['content-type'] ?? 'text/plain');
        response.end(body);
      }),
    async submit(body = 'x', headers = {}) {
      const answer = await ask('POST', 'requests', { body, headers });
      if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
      return answer.json<RequestInfo>();
    },
  };
}

/** The desk, some of whose answers a test has changed. */
function changed(real: RequestHost, change: DeskChange): RequestHost {
  return {
    submit: (...of) => (change.submit ?? ((desk, ...rest) => desk.submit(...rest)))(real, ...of),
    view: (...of) => (change.view ?? ((desk, ...rest) => desk.view(...rest)))(real, ...of),
    changed: (...of) => (change.changed ?? ((desk, ...rest) => desk.changed(...rest)))(real, ...of),
    rested: (...of) => (change.rested ?? ((desk, ...rest) => desk.rested(...rest)))(real, ...of),
    result: (...of) => (change.result ?? ((desk, ...rest) => desk.result(...rest)))(real, ...of),
    cancel: (...of) => (change.cancel ?? ((desk, ...rest) => desk.cancel(...rest)))(real, ...of),
    list: (...of) => (change.list ?? ((desk, ...rest) => desk.list(...rest)))(real, ...of),
    dead: real.dead,
  };
}
