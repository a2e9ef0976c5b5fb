// Ports for servers that come and go. They are none of those that the system gives to
// connections: a client that calls such a port again and again while nobody listens there is in the
// end connected with itself, and has taken the port.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const firstPort = 10_000;
const usualEnd = 32_768;
const given = new Set<number>();

/** One that is free now, and that nobody else in this process was given. */
export async function freePort(): Promise<number> {
  const end = firstOfConnections();
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * (end - firstPort));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function firstOfConnections(): number {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1');
    const first = Number(text.split(/\s+/)[0]);
    return first > firstPort ? first : usualEnd;
  } catch {
    return usualEnd;
  }
}

async function isFree(port: number): Promise<boolean> {
  const listener = createServer().listen(port, '127.0.0.1');
  try {
    await once(listener, 'listening');
  } catch {
    return false;
  }
  listener.close();
  await once(listener, 'close');
  return true;
}
