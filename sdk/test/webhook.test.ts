// Callbacks that are to be trusted, and those that are not. The signatures are made here by hand as
// Standard Webhooks 1.0.0 says: HMAC-SHA256 or Ed25519 over `id.timestamp.body`.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verifyWebhook, type WebhookInput } from '../src/requests/webhook.ts';

const at = 1_700_000_000;
const now = at * 1000;
const secret = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`;
const body = '{"type":"request.succeeded","id":"5-ab12cd34","text":"naïve"}';
const pair = generateKeyPairSync('ed25519');
const rawKey = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
const publicKey = `whpk_${rawKey.toString('base64')}`;

function hmac(text = body, id = 'msg_1', time = at): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${time}.${text}`).digest('base64')}`;
}

function ed25519(text = body): string {
  const bytes = Buffer.from(`msg_1.${at}.${text}`);
  return `v1a,${sign(null, bytes, pair.privateKey).toString('base64')}`;
}

function headersOf(signature = hmac()): Record<string, string> {
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(at),
    'webhook-signature': signature,
  };
}

function input(
  changes: Partial<WebhookInput> & { readonly signature?: string } = {},
): WebhookInput {
  const { signature, ...others } = changes;
  return { body, headers: headersOf(signature ?? hmac()), secrets: secret, now, ...others };
}

describe('trusts', () => {
  it.each([
    ['a signature by the secret', input()],
    ['bytes as well as text', input({ body: new TextEncoder().encode(body) })],
    ['a secret without its prefix', input({ secrets: secret.slice('whsec_'.length) })],
    ['one of several signatures', input({ signature: `v1,AAAA v2,zzz ${hmac()}` })],
    ['one of several secrets', input({ secrets: [`whsec_${btoa('old')}`, secret] })],
    ['the private key of a public one', input({ signature: ed25519(), secrets: publicKey })],
    ['both kinds at once', input({ signature: `${hmac()} ${ed25519()}`, secrets: publicKey })],
    ['a clock that is four minutes off', input({ now: now + 240_000 })],
  ])('%s', async (_what, given) => {
    const trusted = await verifyWebhook(given);
    expect(trusted).toEqual({ id: 'msg_1', sentAt: new Date(now), event: JSON.parse(body) });
  });

  it('headers as fetch and as frameworks have them', async () => {
    const headers = {
      'Webhook-Id': 'msg_1',
      'Webhook-Timestamp': String(at),
      'Webhook-Signature': hmac(),
    };
    await verifyWebhook(input({ headers }));
    await verifyWebhook(input({ headers: new Headers(headers) }));
  });
});

describe('does not trust', () => {
  const headersWithout = (name: string): Record<string, string> => {
    const kept = Object.entries(headersOf()).filter(([key]) => key !== name);
    return Object.fromEntries(kept);
  };
  it.each([
    ['another body', input({ body: body.replace('5-', '6-') })],
    ['the signature of another secret', input({ secrets: `whsec_${btoa('another')}` })],
    ['the signature of another key', input({ signature: ed25519('x'), secrets: publicKey })],
    [
      'a signature by secret under the name of a key',
      input({ signature: hmac().replace('v1', 'v1a') }),
    ],
    ['the secret where a key was given', input({ secrets: publicKey })],
    ['a time that is not the signed one', input({ signature: hmac(body, 'msg_1', at - 1) })],
    ['an id that is not the signed one', input({ signature: hmac(body, 'msg_2') })],
    ['what was signed too long ago', input({ now: now + 301_000 })],
    ['what was signed ahead of its time', input({ now: now - 301_000 })],
    ['half a signature', input({ signature: hmac().slice(0, 20) })],
    ['no signature at all', input({ signature: '' })],
    ['a hundred signatures', input({ signature: `${'v1,AAAA '.repeat(100)}${hmac()}` })],
    ['a missing id', input({ headers: headersWithout('webhook-id') })],
    ['a missing time', input({ headers: headersWithout('webhook-timestamp') })],
    ['a missing signature', input({ headers: headersWithout('webhook-signature') })],
    ['a time in words', input({ headers: { ...headersOf(), 'webhook-timestamp': 'now' } })],
    ['a header that came twice', input({ headers: { ...headersOf(), 'webhook-id': ['a', 'b'] } })],
  ])('%s', async (_what, given) => {
    await expect(verifyWebhook(given)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('says of a signed body that it is no JSON', async () => {
    const given = input({ body: 'x', signature: hmac('x') });
    await expect(verifyWebhook(given)).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('says that a secret is malformed instead', async () => {
    const given = input({ secrets: 'whsec_no base64' });
    await expect(verifyWebhook(given)).rejects.toMatchObject({ code: 'bad_request' });
  });
});
