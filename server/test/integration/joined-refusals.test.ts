// Workers that are refused for good: each ends with code 2 and says what is wrong, so that whatever
// supervises it knows that starting it again is no use.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { ByteWriter, clientCodec, type ServerOperation, serverCodec } from '@sluice/sdk/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type JoinedWorld, openJoinedWorld, type RunningServer, seen } from './joined-world.ts';

let world: JoinedWorld;
let server: RunningServer;
let token: string;
beforeAll(async () => {
  world = openJoinedWorld();
  server = await world.serve();
  token = await world.queues(server, 'strict');
});
afterAll(() => world.close());

const args = ['--endpoint', 'http://127.0.0.1:9'];

async function refused(options: Partial<Parameters<JoinedWorld['worker']>[0]>): Promise<string> {
  const usual = { url: server.url, service: 'strict', token, args };
  const { code, stderr } = await world.worker({ ...usual, ...options }).ended;
  expect(code).toBe(2);
  const [line = ''] = stderr.split('\n').filter((text) => text.startsWith('error: '));
  return line.replace('error: the server refuses this worker: ', '');
}

test('a wrong token, one without the scope, an unknown service, a name that is taken', async () => {
  expect(await refused({ token: 'wrong' })).toBe('the token is missing or wrong');
  const submit = await server.client.addToken('strict', 'submitter', ['submit']);
  expect(await refused({ token: submit.token })).toMatch(/needs the scope consume/);
  expect(await refused({ service: 'nothing' })).toBe('there is no service nothing');
  const model = await world.model();
  const named = ['--endpoint', model.url, '--name', 'one'];
  const first = world.worker({ url: server.url, service: 'strict', token, args: named });
  await seen(server, 'strict', ({ state }) => state === 'Running');
  const second = world.worker({ url: server.url, service: 'strict', token, args: named });
  const { code, stderr } = await first.ended;
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/joined as one/),
  });
  // The token is taken away while it works.
  await server.client.removeToken('strict', 'worker');
  expect(await second.ended).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/the token is missing or wrong/),
  });
  expect(await server.client.instances('strict')).toEqual([]);
});

test('a server of another version of the protocol, and one that knows of no workers', async () => {
  const text = 'version 1 is not spoken here, version 9 is';
  const newer = await speak(({ kind }) =>
    kind === 'hello'
      ? [{ kind: 'error', number: 0, code: 'bad_request', text, retryAfterMs: 0 }]
      : [],
  );
  expect(await refused({ url: newer.url })).toBe(text);
  await newer.close();
  const older = await speak((operation) => {
    switch (operation.kind) {
      case 'hello':
        return [welcome];
      case 'open':
      case 'ping':
        return [{ kind: 'done', number: operation.number }];
      default:
        return [];
    }
  });
  expect(await refused({ url: older.url })).toMatch(/server is too old/);
  await older.close();
});

test('mistakes on the command line, told before anything is tried', async () => {
  const run = async (...more: string[]): Promise<string> => {
    const all = ['worker', '--join', server.url, '--service', 'strict', ...more];
    const { code, stderr } = await world.commands.run(all);
    expect(code).toBe(1);
    return stderr;
  };
  expect(await run()).toMatch(/name the model server: --endpoint URL or --command TEXT/);
  expect(await run('--endpoint', 'here', '--token', 'x')).toMatch(/--endpoint here is no address/);
  const secret = 'http://user:secret@127.0.0.1:9';
  expect(await run('--endpoint', secret)).toMatch(/has a user or password in it/);
  expect(await run('--endpoint', 'http://127.0.0.1:9', '--command', 'x')).toMatch(/cannot be used/);
  expect(await run(...args, '--name', '../x')).toMatch(/--name has up to/);
  expect(await run(...args, '--token-file', '/nowhere/token')).toMatch(/no such file/);
});

const welcome: ServerOperation = {
  kind: 'welcome',
  version: 1,
  session: 's',
  operationsMax: 100,
  bytesMax: 2 ** 20,
  watchesMax: 10,
  credit: 2 ** 20,
  agent: 'old/0',
};

/** A server that answers each operation with what `answer` says, and closes after an error. */
async function speak(
  answer: (operation: ReturnType<typeof clientCodec.read>[number]) => readonly ServerOperation[],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const listener = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  listener.on('connection', (socket) => {
    socket.on('message', (bytes: Buffer) => {
      for (const operation of clientCodec.read(bytes)) {
        if (operation.kind === 'leave') socket.close(1000);
        for (const said of answer(operation)) {
          const writer = new ByteWriter(64);
          serverCodec.write(writer, said);
          socket.send(writer.finish());
          if (said.kind === 'error') socket.close(4400);
        }
      }
    });
  });
  await once(listener, 'listening');
  // A listening TCP server has an address with a port.
  const { port } = listener.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of listener.clients) socket.terminate();
      listener.close();
      await once(listener, 'close');
    },
  };
}
