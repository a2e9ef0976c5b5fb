// A model server for tests, started as a process: does what the body of a request says.

import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';

const { PORT, HOST, IGNORE_TERM, CHILD, CRASH_CODE, HEALTH } = process.env;

if (CRASH_CODE !== undefined) {
  process.stdout.write('about to fail\n');
  process.exit(Number(CRASH_CODE));
}
process.stdout.write(`pid ${process.pid} listens on ${HOST}:${PORT}\n`);
if (IGNORE_TERM !== undefined) process.on('SIGTERM', () => process.stdout.write('not yet\n'));
if (CHILD !== undefined) spawn('sleep', ['1000'], { stdio: 'ignore' });

/** The descriptors above 2 that this process did not open itself: none is a socket or a file. */
function descriptors() {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [`${number} ${readlinkSync(`/proc/self/fd/${number}`)}`];
    } catch {
      return [];
    }
  });
}

const held = [];
const words = {
  hold: (response) => held.push(response),
  'hold and tell': (response) => {
    held.push(response);
    process.stdout.write('holds it\n');
  },
  release: (response) => {
    for (const one of held.splice(0)) one.end('held');
    response.end('released');
  },
  crash: () => process.kill(process.pid, 'SIGKILL'),
  'tell and crash': () =>
    process.stdout.write('these are my last words\n', () => process.kill(process.pid, 'SIGKILL')),
  exit: () => process.exit(3),
  eat: () => {
    for (;;) held.push(Buffer.alloc(2 ** 24, 1));
  },
  pid: (response) => response.end(String(process.pid)),
  write: (response) => process.stdout.write(`${'x'.repeat(99)}\n`.repeat(50), () => response.end()),
  descriptors: (response) => response.end(descriptors().join('\n')),
  environment: (response) => response.end(JSON.stringify(process.env)),
};

createServer(async (request, response) => {
  if (request.url === '/health') {
    response.writeHead(Number(HEALTH ?? 200)).end();
    return;
  }
  let body = '';
  for await (const piece of request) body += piece;
  const act = words[body];
  if (act === undefined) response.end(`echo ${body}`);
  else act(response);
}).listen(Number(PORT), HOST);
