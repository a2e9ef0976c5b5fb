// Addresses of the internet protocol as numbers, networks of them, and what the special ones are
// for (the registries of RFC 6890, as they stand today). An IPv6 address that carries an IPv4
// address is judged by that one.

import { isIP } from 'node:net';

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly bits: bigint;
}

export interface IpNetwork {
  readonly family: IpFamily;
  /** The shared first bits of its addresses, as the number that they make. */
  readonly prefix: bigint;
  readonly prefixBits: number;
}

const width: Readonly<Record<IpFamily, number>> = { 4: 32, 6: 128 };

/** Reads an address without brackets, port or zone; undefined when it is none. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes('%')) return undefined;
  const family = isIP(text);
  if (family === 4) return { family, bits: decimals(text) };
  if (family === 6) return { family, bits: groups(text) };
  return undefined;
}

/** Reads `10.0.0.0/8`, `fd00::/8` or one address; undefined when it is none. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const match = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text);
  const address = parseIp(match?.[1] ?? '');
  if (address === undefined) return undefined;
  const bits = width[address.family];
  const prefixBits = match?.[2] === undefined ? bits : Number(match[2]);
  if (prefixBits > bits) return undefined;
  const rest = BigInt(bits - prefixBits);
  return { family: address.family, prefix: address.bits >> rest, prefixBits };
}

/** Whether an address is one of a network. */
export function inNetwork(address: IpAddress, network: IpNetwork): boolean {
  if (address.family !== network.family) return false;
  return address.bits >> BigInt(width[address.family] - network.prefixBits) === network.prefix;
}

/** The IPv4 address that an IPv6 one carries; any other address as it is. */
export function unwrapped(address: IpAddress): IpAddress {
  const carries = carriers.some((network) => inNetwork(address, network));
  return carries ? { family: 4, bits: address.bits & 0xffff_ffffn } : address;
}

/** What a special address is for; undefined = anybody on the internet may have it. */
export function specialUse(address: IpAddress): string | undefined {
  const real = unwrapped(address);
  const found = special.find(({ network }) => inNetwork(real, network));
  if (found !== undefined) return found.use;
  return real.family === 6 && !inNetwork(real, globalUnicast) ? 'reserved' : undefined;
}

function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is no network`);
  return parsed;
}

/** IPv4-mapped addresses, and those that a translator (NAT64) turns into IPv4 ones. */
const carriers = [network('::ffff:0:0/96'), network('64:ff9b::/96')];

/** All that is given out of IPv6 so far. */
const globalUnicast = network('2000::/3');

const special = Object.entries({
  '0.0.0.0/8': 'unspecified',
  '10.0.0.0/8': 'private',
  '100.64.0.0/10': 'carrier-grade NAT',
  '127.0.0.0/8': 'loopback',
  '169.254.0.0/16': 'link-local',
  '172.16.0.0/12': 'private',
  '192.0.0.0/24': 'for protocols',
  '192.0.2.0/24': 'for documentation',
  '192.88.99.0/24': 'a 6to4 relay',
  '192.168.0.0/16': 'private',
  '198.18.0.0/15': 'for benchmarks',
  '198.51.100.0/24': 'for documentation',
  '203.0.113.0/24': 'for documentation',
  '224.0.0.0/4': 'multicast',
  '255.255.255.255/32': 'broadcast',
  '240.0.0.0/4': 'reserved',
  '::/128': 'unspecified',
  '::1/128': 'loopback',
  '64:ff9b:1::/48': 'for translation',
  '100::/64': 'for discarding',
  '2001::/23': 'for protocols',
  '2001:db8::/32': 'for documentation',
  '2002::/16': 'a 6to4 address',
  '3fff::/20': 'for documentation',
  'fc00::/7': 'private',
  'fe80::/10': 'link-local',
  'fec0::/10': 'private',
  'ff00::/8': 'multicast',
}).map(([text, use]) => ({ network: network(text), use }));

function decimals(text: string): bigint {
  return text.split('.').reduce((bits, part) => bits * 256n + BigInt(part), 0n);
}

function groups(text: string): bigint {
  const tail = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const plain =
    tail === undefined ? text : `${text.slice(0, -tail.length)}${hexPair(decimals(tail))}`;
  const [head = '', rest] = plain.split('::');
  const first = parts(head);
  const last = parts(rest ?? '');
  const zeros = rest === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array<bigint>(zeros).fill(0n), ...last];
  return all.reduce((bits, part) => bits * 65_536n + part, 0n);
}

function parts(text: string): bigint[] {
  return text === '' ? [] : text.split(':').map((part) => BigInt(`0x${part}`));
}

function hexPair(bits: bigint): string {
  return `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
}
