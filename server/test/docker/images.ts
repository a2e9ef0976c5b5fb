// Images made here, without any registry: a small one of Debian's static busybox, and one with the
// Node that runs these tests.

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestEngine } from './engine.ts';

export const busyboxImage = 'local/busybox:1';
export const nodeImage = 'local/node:1';

const programs = [
  ...['sh', 'httpd', 'cat', 'sleep', 'kill', 'env', 'nc', 'echo', 'dd', 'id', 'ls', 'ps', 'touch'],
  ...['test', 'true', 'false', 'usleep', 'yes', 'head', 'tail', 'pwd', 'df', 'seq', 'wget', 'date'],
];

/** A web server's pages: the environment, and what a folder holds. */
const pages = {
  environment: 'env',
  limits: 'df -k /dev/shm | tail -1; ls /mounted 2>&1; touch /mounted/new 2>&1; pwd',
};

export interface BusyboxOptions {
  /** Makes it so much larger, by what cannot be compressed. */
  readonly ballastBytes?: number;
}

export async function loadBusybox(engine: TestEngine, options: BusyboxOptions = {}): Promise<void> {
  const { ballastBytes = 0 } = options;
  await load(engine, busyboxImage, (root) => {
    addBusybox(root);
    writeFileSync(join(root, 'ballast'), randomBytes(ballastBytes));
    mkdirSync(join(root, 'www/cgi-bin'), { recursive: true });
    writeFileSync(join(root, 'www/index.html'), 'hello\n');
    for (const [name, text] of Object.entries(pages)) {
      const script = `#!/bin/sh\nprintf 'content-type: text/plain\\r\\n\\r\\n'\n${text}\n`;
      writeFileSync(join(root, 'www/cgi-bin', name), script, { mode: 0o755 });
    }
  });
}

/** `files`: path in the image → path here. */
export async function loadNode(
  engine: TestEngine,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  await load(engine, nodeImage, (root) => {
    addBusybox(root);
    const node = process.execPath;
    copyInto(root, node, '/usr/bin/node');
    const libraries = execFileSync('ldd', [node], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
    for (const library of libraries) copyInto(root, library, library);
    for (const [inside, here] of Object.entries(files)) copyInto(root, here, inside);
  });
}

function addBusybox(root: string): void {
  for (const folder of ['bin', 'usr/bin', 'tmp', 'proc', 'sys', 'dev', 'etc']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const program of programs) symlinkSync('busybox', join(root, 'bin', program));
}

function copyInto(root: string, from: string, to: string): void {
  const target = join(root, to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target, { dereference: true });
}

async function load(
  engine: TestEngine,
  image: string,
  fill: (root: string) => void,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  try {
    fill(root);
    const [repo, tag] = image.split(':');
    const tar = spawn('tar', ['-C', root, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const changes = ['ENV PATH=/usr/bin:/bin'];
    const answer = await engine.docker.importImage(tar.stdout, { repo, tag, changes });
    await new Promise<void>((resolve, reject) => {
      engine.docker.modem.followProgress(answer, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
