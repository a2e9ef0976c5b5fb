// Addresses to listen on, `HOST:PORT`, and the question that decides how careful the server must
// be: whether an address can be reached from this machine only.

import { BlockList, isIP } from 'node:net';

export interface Address {
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Reads `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (all interfaces) or `PORT` (loopback). */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const [, v6, name] = match;
  if (v6 !== undefined) return isIP(v6) === 6 ? { host: v6, port } : undefined;
  if (name === undefined) return { host: '127.0.0.1', port };
  return { host: name === '' ? '::' : name, port };
}

/** `HOST:PORT` as it stands in an address bar. */
export function showAddress(address: Address): string {
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Whether only this machine can reach `host`. Names other than localhost count as beyond. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const bare = name.startsWith('::ffff:') ? name.slice('::ffff:'.length) : name;
  const family = isIP(bare);
  if (family === 0) return false;
  return loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}
