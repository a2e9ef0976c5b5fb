// Which addresses a request may make Sluice call, and that nothing but what was checked is called.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { BlockList } from 'node:net';
import { text } from 'node:stream/consumers';
import type { PlatformError } from '@sluice/sdk/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AllowList,
  allowList,
  allowProblem,
  checkTarget,
  type Resolve,
} from '../../src/kernel/address-filter.ts';
import { inNetwork, parseIp, parseNetwork } from '../../src/kernel/ip-network.ts';
import { ask } from '../../src/kernel/pinned-request.ts';

/** Every special range: the registries of RFC 6890, and what came to them since. */
const special4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
];
const special6 = [
  ...['::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '2001::/32', '2001:2::/48'],
  ...['2001:10::/28', '2001:20::/28', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

const none = allowList([], 'callbacks.allow');
const nowhere: Resolve = () => Promise.reject(new Error('nothing is looked up'));

const octet = fc.integer({ min: 0, max: 255 });
const anyV4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const anyV6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));

/** An address of a network, its last bits at random. */
function within(network: string): fc.Arbitrary<string> {
  const [base = '', length = ''] = network.split('/');
  const start = parseIp(base);
  if (start === undefined) throw new Error(`${network} is no network`);
  const free = BigInt((start.family === 4 ? 32 : 128) - Number(length));
  return fc
    .bigInt({ min: 0n, max: 2n ** free - 1n })
    .map((rest) => (start.family === 4 ? showV4(start.bits + rest) : showV6(start.bits + rest)));
}

function showV4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join('.');
}

function showV6(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => (bits >> BigInt(112 - 16 * at)) & 0xffffn);
  return groups.map((group) => group.toString(16)).join(':');
}

function inUrl(address: string): string {
  return address.includes(':') ? `http://[${address}]/hook` : `http://${address}/hook`;
}

async function refused(url: string, allow: AllowList, resolve = nowhere): Promise<string> {
  const error: PlatformError = await checkTarget(url, allow, resolve).then(
    () => expect.fail(`${url} was let through`),
    (reason) => reason,
  );
  expect(error.code).toBe('unprocessable');
  return error.message;
}

describe('special addresses', () => {
  it.each([...special4, ...special6])(
    'refuses every address of %s, however written',
    async (net) => {
      await fc.assert(
        fc.asyncProperty(within(net), async (address) => {
          const looked: Resolve = () =>
            Promise.resolve([{ address, family: net.includes(':') ? 6 : 4 }]);
          expect(await refused(inUrl(address), none)).toContain('callbacks.allow');
          expect(await refused('https://example.org/', none, looked)).toContain(address);
        }),
        { numRuns: 50 },
      );
    },
  );

  it('refuses IPv4 addresses in the clothes of IPv6 ones', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(...special4.map(within)),
        fc.constantFrom('::ffff:', '64:ff9b::'),
        async (address, prefix) => {
          await refused(inUrl(prefix + address), none);
          await refused('http://example.org', none, () =>
            Promise.resolve([{ address: prefix + address, family: 6 }]),
          );
        },
      ),
    );
  });

  it.each(['2130706433', '0x7f000001', '0177.0.0.1', '127.1', '127.0.0.1.', '[::ffff:7f00:1]'])(
    'refuses this machine written as %s',
    async (host) => {
      await refused(`http://${host}/`, none, () =>
        Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      );
    },
  );

  it('lets through all other addresses, and knows the special ones as Node does', async () => {
    const oracle = new BlockList();
    for (const network of special4) oracle.addSubnet(...parts(network), 'ipv4');
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyV4, ...special4.map(within)), async (address) => {
        const verdict = await checkTarget(inUrl(address), none, nowhere).then(
          ({ addresses }) => addresses[0]?.address,
          () => undefined,
        );
        expect(verdict).toBe(oracle.check(address, 'ipv4') ? undefined : address);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['2600::1', '2a00:1450:4001::1', '64:ff9b::8.8.8.8'])(
    'lets %s through',
    async (address) => {
      const { addresses } = await checkTarget('https://example.org/', none, () =>
        Promise.resolve([{ address, family: 6 }]),
      );
      expect(addresses).toEqual([{ address, family: 6 }]);
    },
  );
});

describe('networks', () => {
  it('reads addresses and networks as Node does', () => {
    fc.assert(
      fc.property(anyV6, anyV6, fc.integer({ min: 0, max: 128 }), (address, base, length) => {
        const oracle = new BlockList();
        oracle.addSubnet(base, length, 'ipv6');
        const ip = parseIp(address);
        const start = parseIp(base);
        const network = parseNetwork(`${base}/${length}`);
        if (ip === undefined || start === undefined || network === undefined) return false;
        const near = parseIp(showV6(start.bits ^ (ip.bits >> BigInt(length)))) ?? ip;
        expect(inNetwork(near, network)).toBe(oracle.check(showV6(near.bits), 'ipv6'));
        return inNetwork(ip, network) === oracle.check(address, 'ipv6');
      }),
    );
  });

  it.each([
    ['::', 0n],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['::ffff:1.2.3.4', 0xffff_0102_0304n],
    ['1:2:3:4:5:6:1.2.3.4', 0x1_0002_0003_0004_0005_0006_0102_0304n],
    ['2001:db8::8:800:200c:417a', 0x2001_0db8_0000_0000_0008_0800_200c_417an],
  ])('reads %s', (text, bits) => {
    expect(parseIp(text)).toEqual({ family: 6, bits });
  });

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '10.0.0.0/',
    'fe80::1%eth0',
    '*.*.org',
    'a b',
    '-a.org',
    '',
  ])('takes %j for no entry of an allow list', (entry) =>
    expect(allowProblem(entry)).toContain('must be a network'),
  );

  it.each(['10.0.0.0/8', '::1', 'fd00::/8', '*.example.org', 'localhost', 'my_host.Example.org'])(
    'takes %j for an entry of an allow list',
    (entry) => expect(allowProblem(entry)).toBeUndefined(),
  );
});

describe('an allow list', () => {
  it('opens what it names and nothing beside it', async () => {
    const allow = allowList(['10.1.0.0/16', '::1', '*.example.org'], 'fetch.allow');
    const at = (address: string): Resolve => {
      return () => Promise.resolve([{ address, family: address.includes(':') ? 6 : 4 }]);
    };
    await checkTarget('http://10.1.2.3/', allow, nowhere);
    await checkTarget('http://[::ffff:10.1.2.3]/', allow, nowhere);
    await checkTarget('http://[::1]/', allow, nowhere);
    await checkTarget('http://host/', allow, at('10.1.2.3'));
    await checkTarget('http://a.b.EXAMPLE.org./', allow, at('192.168.0.1'));
    expect(await refused('http://10.2.0.1/', allow)).toContain('fetch.allow');
    await refused('http://example.org/', allow, at('192.168.0.1'));
    await refused('http://notexample.org/', allow, at('192.168.0.1'));
    await refused('http://a.example.org.evil.net/', allow, at('192.168.0.1'));
    await refused('http://a.example.org/', allow, at('0.0.0.0'));
  });

  it('keeps only the allowed addresses of a name', async () => {
    const { addresses } = await checkTarget('http://both.example.net/', none, () =>
      Promise.resolve([
        { address: '127.0.0.1', family: 4 },
        { address: '93.184.216.34', family: 4 },
      ]),
    );
    expect(addresses).toEqual([{ address: '93.184.216.34', family: 4 }]);
  });
});

describe('addresses', () => {
  it.each([
    'ftp://example.org/',
    'file:///etc/passwd',
    'https://user:word@example.org/',
    'https://user@example.org/',
    'example.org/hook',
    `https://example.org/${'x'.repeat(2048)}`,
  ])('refuses %s', async (url) => {
    await refused(url, allowList(['0.0.0.0/0', '::/0', '*.org'], 'callbacks.allow'));
  });

  it('tells a name that cannot be looked up from one that is not allowed', async () => {
    await expect(checkTarget('http://example.org/', none, nowhere)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('a pinned connection', () => {
  it('goes to the address that was checked, whatever the name says later', async () => {
    await using server = await listening();
    const allow = allowList(['127.0.0.2/32'], 'callbacks.allow');
    let lookups = 0;
    const rebinding: Resolve = () => {
      lookups++;
      return Promise.resolve([{ address: lookups === 1 ? '127.0.0.2' : '127.0.0.1', family: 4 }]);
    };
    // A name that this machine would look up to another address: nothing must ask it.
    const target = await checkTarget(`http://localhost:${server.port}/a`, allow, rebinding);
    const { signal } = new AbortController();
    const answer = await ask(target, {}, { signal });
    expect(await text(answer)).toBe(`127.0.0.2 localhost:${server.port}`);
    expect(lookups).toBe(1);
  });
});

const pem = (name: string): string =>
  readFileSync(new URL(`../integration/eas-tls/${name}.pem`, import.meta.url), 'utf8');

describe('a pinned connection by TLS', () => {
  const localhost: Resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);

  it('asks for the certificate of the name, and takes no other', async () => {
    await using server = await listening({ cert: pem('cert'), key: pem('key') });
    const allow = allowList(['127.0.0.0/8'], 'callbacks.allow');
    const asked = async (host: string): Promise<string> => {
      const target = await checkTarget(`https://${host}:${server.port}/`, allow, localhost);
      const { signal } = new AbortController();
      return text(await ask(target, {}, { signal, ca: pem('cert') }));
    };
    expect(await asked('localhost')).toBe(`127.0.0.1 localhost:${server.port}`);
    await expect(asked('hooks.example.org')).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });
});

interface Listening extends AsyncDisposable {
  readonly port: number;
}

/** Answers the address that it was reached at and the name that it was called by. */
async function listening(tls?: { cert: string; key: string }): Promise<Listening> {
  const answer = ({ socket, headers }: IncomingMessage, response: ServerResponse): void => {
    response.end(`${socket.localAddress} ${headers.host}`);
  };
  const server: Server = tls === undefined ? createServer(answer) : createTls(tls, answer);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function parts(network: string): [string, number] {
  const [base = '', length = ''] = network.split('/');
  return [base, Number(length)];
}
