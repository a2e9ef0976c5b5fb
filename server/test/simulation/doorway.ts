// What one process offers to the network: Node's own HTTP server on simulated sockets, behind it
// the real handlers of the EAS protocol and of the stream protocol.

import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Queues } from '../../src/broker/queues.ts';
import { EasHandler } from '../../src/http/eas/handler.ts';
import { attributesOf } from '../../src/http/eas/inspect.ts';
import { streamPath } from '../../src/http/edge.ts';
import { defaultEdgeLimits } from '../../src/http/limits.ts';
import { EdgeRequest } from '../../src/http/request.ts';
import { WebSockets } from '../../src/http/socket.ts';
import { StreamServer } from '../../src/http/stream/server.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Random } from '../../src/kernel/random.ts';
import { serviceName } from './service.ts';

export const token = 'token-of-the-service';

/** Answers who takes new connections of a process whose queues these are. */
export function doorway(parts: {
  readonly queues: Queues;
  readonly clock: Clock;
  readonly random: Random;
}): (socket: Duplex) => void {
  const tokens = [{ name: 'main', secret: token, scopes: undefined }];
  const { queues, clock, random } = parts;
  const hosted = { name: serviceName, queues, open: false, stopped: undefined, tokens };
  const limits = { ...defaultEdgeLimits, pingMs: 1_000, silenceMs: 3_000, stallMs: 3_000 };
  const common = {
    directory: { find: (name: string) => (name === serviceName ? hosted : undefined) },
    clock,
    random,
    log: silentLog,
    adminToken: undefined,
  };
  const eas = new EasHandler({ ...common, limits, backend: 'memory', rootService: undefined });
  const streams = new StreamServer({
    ...common,
    agent: 'simulated',
    describe: (name, view) => attributesOf(name, view, { backend: 'memory' }),
    limits: { takenMs: 3_000, sessionMs: 5_000 },
  });
  const messageBytesMax = limits.streamMessageBytesMax;
  const sockets = new WebSockets({ clock, limits, messageBytesMax });
  const server = createServer({ IncomingMessage: EdgeRequest });
  server.on('request', (request, response) => eas.serve(request, response));
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== streamPath) {
      eas.upgrade(request, socket, head);
      return;
    }
    const connection = sockets.accept(request, socket, head);
    if (connection !== undefined) streams.accept(connection);
  });
  return (socket) => server.emit('connection', socket);
}
