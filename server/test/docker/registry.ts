// A registry of the test's own, Debian's docker-registry, with one login that it asks for.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { type TestEngine, wait } from './engine.ts';

export const user = 'reader';
export const password = 'let:me in';
/** `password` by bcrypt, as `htpasswd -B` writes it; made with the system's crypt(3). */
const hash = '$2y$05$abcdefghijklmnopqrstuuDzwpSiy4xBCATzhl93SaXzv8G8zRIba';

export interface TestRegistry {
  /** `127.0.0.1:PORT`, which every engine takes plain HTTP from. */
  readonly address: string;
  /** Puts an image of the engine there under another name, and takes it from the engine. */
  publish(image: string, name: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startRegistry(engine: TestEngine): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-registry-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  await writeFile(join(folder, 'users'), `${user}:${hash}\n`);
  await writeFile(
    join(folder, 'settings.yml'),
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${folder}/data}}
http: {addr: ${address}}
auth: {htpasswd: {realm: test, path: ${folder}/users}}
`,
  );
  const settings = join(folder, 'settings.yml');
  const child = spawn('docker-registry', ['serve', settings], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await answers(address, child);
  return {
    address,
    publish: (image, name) => publish(engine.docker, image, `${address}/${name}`),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function publish(docker: Docker, image: string, full: string): Promise<string> {
  const colon = full.lastIndexOf(':');
  const [repo, tag] = [full.slice(0, colon), full.slice(colon + 1)];
  await docker.getImage(image).tag({ repo, tag });
  const [serveraddress = ''] = full.split('/', 1);
  const authconfig = { username: user, password, serveraddress };
  const stream: NodeJS.ReadableStream = await docker.getImage(full).push({ authconfig });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
  await docker.getImage(full).remove();
  return full;
}

async function answers(address: string, child: ChildProcess): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://${address}/v2/`).catch(() => undefined);
    if (answer?.status === 401) return;
    if (child.exitCode !== null) throw new Error('docker-registry did not start');
    await wait(25);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
