// An object store that checks signatures: OpenStack Swift with its S3 protocol, all four of its
// servers in one process of Python, its objects in memory. It comes from Debian's packages.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type S3Credentials, signedHeaders } from '../../src/kernel/sigv4.ts';

/** Debian's Python: its packages are not those of another one. */
const python = '/usr/bin/python3';
export const region = 'us-east-1';
/** As its configuration below has them. */
export const credentials: S3Credentials = {
  accessKeyId: 'test:tester',
  secretAccessKey: 'testing',
  sessionToken: undefined,
};

export function hasSwift(): boolean {
  try {
    execFileSync(python, ['-c', 'import swift.obj.mem_server'], { stdio: 'ignore' });
    execFileSync('memcached', ['-h'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes the rings, loads the four servers beside a memcached and says so; all of it ends with its
 * standard input, so that nothing is left of a test that was killed. */
const program = `
import os, subprocess, sys
folder, cache = sys.argv[1:3]
ports = [int(port) for port in sys.argv[3:]]
memcached = subprocess.Popen(
    ['memcached', '-u', 'root', '-l', '127.0.0.1', '-U', '0', '-m', '8', '-p', cache])
from swift.common.utils import eventlet_monkey_patch
eventlet_monkey_patch()
import eventlet
from eventlet import listen, spawn, wsgi
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp
names = ['account', 'container', 'object', 'proxy']
for name, port in zip(names[:3], ports):
    builder = RingBuilder(2, 1, 0)
    builder.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': port,
                     'device': 'disk', 'weight': 1, 'meta': ''})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, name + '.ring.gz'))
quiet = open(os.devnull, 'w')
for name, port in zip(names, ports):
    app = loadapp(os.path.join(folder, name + '.conf'))
    spawn(wsgi.server, listen(('127.0.0.1', port)), app, quiet)
print('ready', flush=True)
pipe = eventlet.greenio.GreenPipe(0, 'r')
pipe.read()
memcached.kill()
memcached.wait()
os._exit(0)
`;

export class Swift {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(url: string, folder: string, process: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = process;
  }

  static async open(): Promise<Swift> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-swift-'));
    const [account, container, object, proxy, cache] = await freePorts(5);
    await mkdir(join(folder, 'disks', 'disk'), { recursive: true });
    for (const [name, port] of [
      ['account', account],
      ['container', container],
      ['object', object],
    ] as const) {
      await writeFile(join(folder, `${name}.conf`), storageOf(folder, name, port));
    }
    await writeFile(join(folder, 'proxy.conf'), proxyOf(folder, proxy, cache));
    const ports = [cache, account, container, object, proxy].map(String);
    const child = spawn(python, ['-c', program, folder, ...ports], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const swift = new Swift(`http://127.0.0.1:${proxy}`, folder, child);
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'ready') return swift;
    }
    await swift.close();
    throw new Error('Swift did not start');
  }

  /** Makes a bucket. */
  makeBucket(name: string): Promise<void> {
    return this.#put(`/${name}`, Buffer.alloc(0));
  }

  /** The path is that of the address: encoded. */
  putObject(path: string, content: Uint8Array): Promise<void> {
    return this.#put(path, content);
  }

  async close(): Promise<void> {
    const { exitCode, signalCode, stdin } = this.#process;
    stdin?.end();
    if (exitCode === null && signalCode === null) await once(this.#process, 'exit');
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #put(path: string, content: Uint8Array): Promise<void> {
    const url = new URL(path, this.url);
    const bodySum = createHash('sha256').update(content).digest('hex');
    const sign = { url, credentials, region, service: 's3', now: Date.now() };
    const { host: _, ...headers } = signedHeaders({ ...sign, method: 'PUT', bodySum });
    const response = await fetch(url, { method: 'PUT', headers, body: Buffer.from(content) });
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
  }
}

async function freePorts(count: 5): Promise<readonly [number, number, number, number, number]>;
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function common(folder: string, port: number): string {
  const lines = [`bind_port = ${port}`, `swift_dir = ${folder}`, 'log_address = /dev/null'];
  return ['[DEFAULT]', 'bind_ip = 127.0.0.1', 'user = root', ...lines, ''].join('\n');
}

function storageOf(folder: string, name: string, port: number): string {
  const app = name === 'object' ? 'mem_object' : name;
  const disks = `devices = ${join(folder, 'disks')}\nmount_check = false\n`;
  const pipeline = '[pipeline:main]\npipeline = server\n';
  return `${common(folder, port)}${disks}${pipeline}[app:server]\nuse = egg:swift#${app}\n`;
}

function proxyOf(folder: string, port: number, cache: number): string {
  const key = `user_${credentials.accessKeyId.replace(':', '_')}`;
  return `${common(folder, port)}[pipeline:main]
pipeline = catch_errors cache s3api tempauth proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cache}
[filter:s3api]
use = egg:swift#s3api
location = ${region}
[filter:tempauth]
use = egg:swift#tempauth
${key} = ${credentials.secretAccessKey} .admin
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
`;
}
