// Decides whether Sluice may send a request to an address that came with somebody else's request: a
// callback, a body that lies elsewhere. The internet is open; private networks and this machine are
// not, unless the service's settings name them. What was checked is what is connected to: the
// addresses are looked up once, here, and kept (see `pinned-connector.ts`).

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import {
  type IpAddress,
  type IpNetwork,
  inNetwork,
  parseIp,
  parseNetwork,
  specialUse,
  unwrapped,
} from './ip-network.ts';

/** The setting of a service that opens more than the internet. */
export type AllowSetting = 'callbacks.allow' | 'fetch.allow' | 'model.allow';

export interface AllowList {
  /** Named in every refusal. */
  readonly setting: AllowSetting;
  readonly networks: readonly IpNetwork[];
  /** Lower case; `*.example.org` is every name below example.org, and not that one. */
  readonly hosts: readonly string[];
}

export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** A target that may be connected to, at these addresses only. */
export interface PinnedTarget {
  readonly url: URL;
  /** At least one. */
  readonly addresses: readonly PinnedAddress[];
}

/** Looks a name up; rejects when it can't be. The seam to the domain name system. */
export type Resolve = (host: string) => Promise<readonly PinnedAddress[]>;

const urlCharsMax = 2048;
/** Lookups take threads that storage needs too: a slow name server must not take them all. */
const lookupsMax = 2;
const lookupsWaitingMax = 1000;

const hostPattern =
  /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

/** Why `entry` can't stand in an allow list; undefined when it can. */
export function allowProblem(entry: string): string | undefined {
  if (parseNetwork(entry) !== undefined) return undefined;
  const host = entry.toLowerCase();
  if (hostPattern.test(host) && !/^[\d.]+$/.test(host)) return undefined;
  return 'must be a network like 10.0.0.0/8 or fd00::/8, or a host like *.example.org';
}

/** Entries for which `allowProblem` says something are left out. */
export function allowList(entries: readonly string[], setting: AllowSetting): AllowList {
  const networks = entries.map(parseNetwork).filter((network) => network !== undefined);
  const hosts = entries.filter((entry) => parseNetwork(entry) === undefined);
  return { setting, networks, hosts: hosts.map((host) => host.toLowerCase()) };
}

/**
 * Resolves with the addresses that may be connected to. Throws `unprocessable` when the target is
 * not allowed (final, as long as name and settings stay), `unavailable` when its name could not be
 * looked up.
 */
export async function checkTarget(
  url: string,
  allow: AllowList,
  resolve: Resolve = systemResolve,
): Promise<PinnedTarget> {
  const target = readTarget(url);
  const host = hostOf(target);
  const literal = parseIp(host);
  const found =
    literal === undefined
      ? await lookUp(host, resolve)
      : [{ address: host, family: literal.family }];
  const refusals = found.map(({ address }) => refusal(host, address, allow));
  const addresses = found.filter((_, at) => refusals[at] === undefined);
  if (addresses.length === 0) {
    throw new PlatformError('unprocessable', refusals[0] ?? `${host} has no address`);
  }
  return { url: target, addresses };
}

/** What can be said of a target without looking its name up; throws `unprocessable`. */
export function readTarget(text: string): URL {
  const wrong = (what: string): PlatformError => new PlatformError('unprocessable', what);
  if (text.length > urlCharsMax) throw wrong(`an address has at most ${urlCharsMax} characters`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw wrong('the address must be a whole one, as https://host/path');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw wrong(`the address must begin with http:// or https://, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('the address must not carry a user name or password');
  }
  url.hash = '';
  return url;
}

/** Why `address`, which `host` was looked up to, is not allowed; undefined when it is. */
export function refusal(host: string, address: string, allow: AllowList): string | undefined {
  const ip = parseIp(address);
  if (ip === undefined) return `${host} has an address that can't be read`;
  const use = specialUse(ip);
  if (use === undefined || isNamed(ip, allow)) return undefined;
  const where = host === address ? address : `${host} (${address})`;
  // No service listens there; an operating system would connect to something else instead.
  const hasMeaning = !['unspecified', 'multicast', 'broadcast'].includes(use);
  if (hasMeaning && allow.hosts.some((pattern) => matches(host, pattern))) return undefined;
  const { setting } = allow;
  const orServer = setting === 'model.allow' ? ' or --model-allow of the server' : '';
  return `${where} is ${use}: it is reached only if ${setting} of the service${orServer} names it`;
}

function isNamed(ip: IpAddress, { networks }: AllowList): boolean {
  const real = unwrapped(ip);
  return networks.some((network) => inNetwork(real, network) || inNetwork(ip, network));
}

function matches(host: string, pattern: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

async function lookUp(host: string, resolve: Resolve): Promise<readonly PinnedAddress[]> {
  try {
    return await resolve(host);
  } catch (error) {
    const cause = error instanceof Error ? error : undefined;
    throw new PlatformError('unavailable', `${host} could not be looked up`, { cause });
  }
}

let running = 0;
const waiting: (() => void)[] = [];

/** Asks the operating system, as programs on this machine do. */
export const systemResolve: Resolve = async (host) => {
  if (waiting.length >= lookupsWaitingMax) throw new Error('too many names are being looked up');
  if (running >= lookupsMax) await new Promise<void>((go) => waiting.push(go));
  else running++;
  try {
    const found = await lookup(host, { all: true, verbatim: true });
    return found.map(({ address }) => ({ address, family: isIP(address) === 6 ? 6 : 4 }));
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
};
