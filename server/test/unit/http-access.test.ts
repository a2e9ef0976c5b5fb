// Hosts and origins, tokens, EAS signatures with the habits of every client, and scopes.

import { createHash, createHmac } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import { describe, expect, it } from 'vitest';
import { type AccessSettings, checkAccess } from '../../src/http/access.ts';
import type { Grant, HostedService, TokenScope } from '../../src/http/directory.ts';
import { checkPermission, type EasOperation } from '../../src/http/eas/permissions.ts';
import type { SignedRequest } from '../../src/http/signature.ts';
import { grantOfRequest, isSameSecret, presentedToken } from '../../src/http/tokens.ts';

const loopback: AccessSettings = { loopback: true, allowHosts: [], allowOrigins: [] };

function statusOf(headers: Record<string, string>, settings = loopback): number {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, headers);
  return checkAccess(request, settings)?.status ?? 200;
}

describe('the Host check', () => {
  it.each([
    'localhost',
    'LOCALHOST:80',
    '127.0.0.1:8600',
    '127.8.9.1',
    '[::1]:8600',
    'a.localhost',
  ])('lets %s through on loopback', (host) => expect(statusOf({ host })).toBe(200));

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1:80', ''])(
    'answers 421 to %j on loopback',
    (host) => expect(statusOf({ host })).toBe(421),
  );

  it('lets further names through when they are allowed, and all of them beyond loopback', () => {
    const allowed = { ...loopback, allowHosts: ['box.lan'] };
    expect(statusOf({ host: 'BOX.lan:8600' }, allowed)).toBe(200);
    expect(statusOf({ host: 'other.lan' }, allowed)).toBe(421);
    expect(statusOf({ host: 'other.lan' }, { ...loopback, loopback: false })).toBe(200);
  });
});

describe('the Origin check', () => {
  const host = 'localhost:8600';

  it('lets pages of the server itself through, by http and through a TLS proxy', () => {
    expect(statusOf({ host, origin: 'http://localhost:8600' })).toBe(200);
    expect(statusOf({ host, origin: 'https://localhost:8600' })).toBe(200);
  });

  it.each(['http://localhost:3000', 'https://evil.example', 'null', 'file://', ''])(
    'answers 403 to the foreign origin %j',
    (origin) => expect(statusOf({ host, origin })).toBe(403),
  );

  it('checks origins beyond loopback too', () => {
    const open = { ...loopback, loopback: false };
    expect(statusOf({ host: 'sluice.example', origin: 'https://evil.example' }, open)).toBe(403);
    expect(statusOf({ host: 'sluice.example', origin: 'https://sluice.example' }, open)).toBe(200);
  });

  it('lets allowed origins through', () => {
    const allowed = { ...loopback, allowOrigins: ['https://app.example/'] };
    expect(statusOf({ host, origin: 'https://app.example' }, allowed)).toBe(200);
    expect(statusOf({ host, origin: 'https://app.example:444' }, allowed)).toBe(403);
    expect(statusOf({ host, origin: 'https://x' }, { ...loopback, allowOrigins: ['*'] })).toBe(200);
  });
});

const reader: ReadonlySet<TokenScope> = new Set(['read']);

// Only what tokens are looked up by; no queue is touched here.
function service(changes: Partial<HostedService> = {}): HostedService {
  return {
    name: 's',
    get queues(): never {
      throw new Error('no queue is needed');
    },
    open: false,
    stopped: undefined,
    tokens: [
      { name: 'main', secret: 'secret', scopes: undefined },
      { name: 'web', secret: 'web-secret', scopes: reader },
    ],
    ...changes,
  };
}

function grant(authorization: string | undefined, of = service(), method = 'POST'): Grant {
  return grantOfRequest(of, { method, url: '/api/predict/s', headers: { authorization } }, 'admin');
}

describe('tokens', () => {
  it('accepts a token raw and as Bearer', () => {
    expect(grant('secret')).toEqual({ kind: 'main' });
    expect(grant('Bearer secret')).toEqual({ kind: 'main' });
    expect(grant('bearer  secret')).toEqual({ kind: 'main' });
    expect(grant('web-secret')).toEqual({ kind: 'scoped', name: 'web', scopes: reader });
  });

  it('accepts the admin token as the main token of every service', () => {
    expect(grant('Bearer admin')).toEqual({ kind: 'main' });
  });

  it.each([
    undefined,
    '',
    'wrong',
    'Bearer',
    'Bearer ',
    'Bearer wrong',
    'secret2',
    'secre',
    'EAS x',
  ])('grants nothing for %j', (authorization) =>
    expect(grant(authorization)).toEqual({ kind: 'none' }),
  );

  it('asks for nothing on an open service, where clients send an empty header', () => {
    const open = service({ open: true, tokens: [] });
    for (const authorization of [undefined, '', 'anything']) {
      expect(grant(authorization, open)).toEqual({ kind: 'main' });
    }
  });

  it('never takes an empty secret for a token', () => {
    const empty = service({ tokens: [{ name: 'main', secret: '', scopes: undefined }] });
    for (const authorization of ['', 'Bearer ', 'EAS ']) {
      expect(grant(authorization, empty)).toEqual({ kind: 'none' });
    }
  });

  it('accepts a token that itself begins like a scheme', () => {
    const odd = service({ tokens: [{ name: 'main', secret: 'Bearer x', scopes: undefined }] });
    expect(grant('Bearer x', odd)).toEqual({ kind: 'main' });
    expect(presentedToken('Bearer x')).toBe('x');
  });

  it('compares secrets by all of their characters', () => {
    expect(isSameSecret('abc', 'abc')).toBe(true);
    for (const other of ['', 'abd', 'Abc', 'ab', 'abcabc', 'abca']) {
      expect(isSameSecret(other, 'abc')).toBe(false);
      expect(isSameSecret('abc', other)).toBe(false);
    }
  });
});

describe('EAS signatures', () => {
  const body = Buffer.from('{"x": 1}');
  const md5 = createHash('md5').update(body).digest('hex');

  /** The formula of the predict clients, written out independently of the server. */
  function sign(parts: readonly string[]): string {
    return `EAS ${createHmac('sha1', 'secret').update(parts.join('\n')).digest('base64')}`;
  }

  function signedGrant(
    request: SignedRequest,
    signed: { readonly resource: string; readonly md5?: string },
  ): Grant['kind'] {
    const { headers } = request;
    const authorization = sign([
      'POST',
      signed.md5 ?? String(headers['content-md5']),
      headers['content-type'] ?? '',
      headers.date ?? '',
      signed.resource,
    ]);
    const whole = { ...request, headers: { ...headers, authorization } };
    return grantOfRequest(service(), whole, undefined).kind;
  }

  const request = {
    method: 'POST',
    url: '/api/predict/s',
    headers: {
      date: 'Sat, 21 Nov 2026 10:00:00 GMT',
      'content-type': 'application/octet-stream',
      'content-md5': md5,
    },
  };

  it('equals a signature worked out by hand', () => {
    const authorization = sign([
      'POST',
      md5,
      'application/octet-stream',
      'Sat, 21 Nov 2026 10:00:00 GMT',
      '/api/predict/s',
    ]);
    const signed = { ...request, headers: { ...request.headers, authorization } };
    expect(grantOfRequest(service(), signed, undefined)).toEqual({ kind: 'main' });
  });

  it('is accepted whatever the date says: PY and GO label local time GMT', () => {
    const headers = { ...request.headers, date: 'Sun, 22 Nov 2026 00:00:00 GMT' };
    expect(signedGrant({ ...request, headers }, { resource: '/api/predict/s' })).toBe('main');
  });

  it('is taken over the MD5 as sent: JAVA drops leading zeros, or signs the packed body', () => {
    for (const sent of ['cafe', createHash('md5').update('packed').digest('hex')]) {
      const headers = { ...request.headers, 'content-md5': sent };
      expect(signedGrant({ ...request, headers }, { resource: '/api/predict/s' })).toBe('main');
    }
  });

  it('is tried over path and query, then the path, then the bare service', () => {
    const url = '/api/predict/s/v1/x?color=red&_priority_=1';
    for (const resource of [url, '/api/predict/s/v1/x', '/api/predict/s']) {
      expect(signedGrant({ ...request, url }, { resource })).toBe('main');
    }
    expect(signedGrant({ ...request, url }, { resource: '/api/predict/other' })).toBe('none');
  });

  it('signs the content type as received, also none', () => {
    const headers = { date: request.headers.date, 'content-md5': md5 };
    expect(signedGrant({ ...request, headers }, { resource: '/api/predict/s' })).toBe('main');
  });

  it('is refused when anything signed differs, and for every method but POST', () => {
    const other = { resource: '/api/predict/s', md5: 'other' };
    expect(signedGrant(request, other)).toBe('none');
    const put = { ...request, method: 'PUT' };
    expect(signedGrant(put, { resource: '/api/predict/s' })).toBe('none');
  });
});

describe('scopes', () => {
  function outcome(
    scopes: readonly TokenScope[],
    operation: EasOperation,
    queue: 'input' | 'sink' | 'inputRear' = 'input',
    id?: string,
  ): string {
    const scoped: Grant = { kind: 'scoped', name: 't', scopes: new Set(scopes) };
    try {
      checkPermission(scoped, operation, queue, id);
      return 'ok';
    } catch (error) {
      return error instanceof PlatformError ? error.code : 'other';
    }
  }

  it('lets a submitter put requests and look, nothing else', () => {
    expect(outcome(['submit'], 'put')).toBe('ok');
    expect(outcome(['submit'], 'attributes')).toBe('ok');
    expect(outcome(['submit'], 'search')).toBe('ok');
    for (const operation of ['get', 'watch', 'commit', 'delete', 'truncate', 'end'] as const) {
      expect(outcome(['submit'], operation)).toBe('forbidden');
      expect(outcome(['submit'], operation, 'sink')).toBe('forbidden');
    }
    expect(outcome(['submit'], 'put', 'sink')).toBe('forbidden');
  });

  it('lets a reader fetch results by request id only', () => {
    expect(outcome(['read'], 'get', 'sink', 'r1')).toBe('ok');
    expect(outcome(['read'], 'get', 'sink')).toBe('forbidden');
    expect(outcome(['read'], 'get', 'input', 'r1')).toBe('forbidden');
    expect(outcome(['read'], 'watch', 'sink')).toBe('forbidden');
  });

  it('lets a consumer watch, commit, delete and put results', () => {
    for (const operation of ['watch', 'get', 'commit', 'negative', 'delete'] as const) {
      expect(outcome(['consume'], operation)).toBe('ok');
      expect(outcome(['consume'], operation, 'sink')).toBe('ok');
    }
    expect(outcome(['consume'], 'put', 'sink')).toBe('ok');
    expect(outcome(['consume'], 'put')).toBe('forbidden');
  });

  it('keeps truncate, end and rear queues for admin and the main token', () => {
    for (const operation of ['truncate', 'end', 'put', 'get'] as const) {
      expect(outcome(['admin'], operation)).toBe('ok');
      expect(outcome(['admin'], operation, 'inputRear')).toBe('ok');
      expect(outcome(['submit', 'read', 'consume'], operation, 'inputRear')).toBe('forbidden');
      expect(() =>
        checkPermission({ kind: 'main' }, operation, 'inputRear', undefined),
      ).not.toThrow();
    }
  });
});
