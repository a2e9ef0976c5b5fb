// Callbacks of a real server, from the submission to a receiver that trusts them, through a crash
// in the middle of a delivery.

import { RequestClient, type ServiceWebhooks, verifyWebhook } from '@sluice/sdk';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { scheduleMsMax } from '../../src/callbacks/schedule.ts';
import { AnswerCheck } from '../answer-check.ts';
import { receiver } from './callbacks-world.ts';
import { openRequestService, type RequestService } from './request-service.ts';

let service: RequestService;

beforeAll(async () => {
  service = await openRequestService();
});

afterAll(() => service.close());

function submit(body: string, callback: string, more: Record<string, string> = {}) {
  return fetch(`${service.url}/v1/services/demo/requests`, {
    method: 'POST',
    headers: { Authorization: service.token, 'Sluice-Callback': callback, ...more },
    body,
  });
}

async function webhooks(): Promise<ServiceWebhooks> {
  const { stdout } = await service.sluice('webhooks', 'demo', '--json');
  return JSON.parse(stdout) as ServiceWebhooks;
}

describe('a server', () => {
  it('tells the receiver of the end, so that SDK and public package trust it', async () => {
    const target = await receiver();
    const answer = await submit('hello', target.url, { 'Content-Type': 'text/plain' });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as { id: string };
    await vi.waitFor(() => expect(target.calls.length).toBe(1), { timeout: 60_000 });
    const [call] = target.calls;
    if (call === undefined) return expect.fail('nothing came');
    const headers = call.headers as Record<string, string>;
    const { keys } = await webhooks();
    const secret = keys[0]?.secret ?? '';
    new Webhook(secret).verify(call.body, headers);
    const shown = await fetch(`${service.url}/v1/webhook-keys?service=demo`);
    const [open] = (await shown.json()) as { key: string }[];
    for (const secrets of [secret, open?.key ?? '']) {
      const { event } = await verifyWebhook({ body: call.body, headers, secrets });
      expect(event).toMatchObject({ type: 'request.succeeded', data: { id, state: 'succeeded' } });
      expect(event.data.result).toEqual({ contentType: 'text/plain', text: 'hello' });
    }
    const requests = new RequestClient({ url: service.url, token: service.token, service: 'demo' });
    await vi.waitFor(async () => {
      expect(await requests.callbacks(id)).toMatchObject({
        url: target.url,
        pending: false,
        attempts: [{ attempt: 1, outcome: 'delivered', status: 204, event: 'request.succeeded' }],
      });
    });
    expect(await requests.replayCallback(id)).toMatchObject({ attempt: 2, replay: true });
    expect(target.calls.map((each) => each.headers['webhook-id'])).toEqual([
      headers['webhook-id'],
      headers['webhook-id'],
    ]);
  });

  it('answers every call as its own document says, and administrators alone some', async () => {
    const document = await (await fetch(`${service.url}/v1/openapi.json`)).json();
    const check = new AnswerCheck(document);
    const ask = async (method: string, path: string, token: string, body?: unknown) => {
      const headers = { Authorization: token, 'Content-Type': 'application/json' };
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await fetch(service.url + path, { method, headers, ...text });
      const { status } = answer;
      const type = answer.headers.get('content-type') ?? undefined;
      const value = { method, path, status, type, text: await answer.text() };
      check.check(value);
      return value;
    };
    const { adminToken: admin, token } = service;
    const target = await receiver();
    target.reply = { status: 410 };
    const { id } = (await (await submit('gone', target.url)).json()) as { id: string };
    const base = '/v1/services/demo';
    await vi.waitFor(
      async () => {
        const { text } = await ask('GET', `${base}/requests/${id}/callbacks`, token);
        expect(JSON.parse(text).attempts).toMatchObject([{ outcome: 'closed', status: 410 }]);
      },
      { timeout: 60_000 },
    );
    const { text } = await ask('GET', `${base}/webhooks`, admin);
    expect(JSON.parse(text).closed).toMatchObject([{ url: target.url }]);
    expect((await ask('GET', `${base}/webhooks`, token)).status).toBe(401);
    expect((await ask('POST', `${base}/webhooks/rotate`, token, {})).status).toBe(401);
    expect((await ask('GET', `${base}/requests/${id}/callbacks`, 'wrong')).status).toBe(401);
    const opened = await ask('POST', `${base}/webhooks/open`, admin, { url: target.url });
    expect(JSON.parse(opened.text).closed).toEqual([]);
    const unknown = await ask('POST', `${base}/webhooks/open`, admin, { url: target.url });
    expect(unknown.status).toBe(404);
    expect((await ask('POST', `${base}/webhooks/rotate`, admin, { overlap: 'x' })).status).toBe(
      400,
    );
    const replayed = await ask('POST', `${base}/requests/${id}/callbacks/replay`, token);
    expect(JSON.parse(replayed.text)).toMatchObject({ attempt: 2, outcome: 'closed' });
    expect((await ask('GET', '/v1/webhook-keys', '')).status).toBe(200);
    expect((await ask('GET', '/v1/webhook-keys?service=other', '')).status).toBe(404);
  });

  it('refuses a callback to where it may not go, before the request is taken', async () => {
    const answer = await submit('hello', 'http://169.254.169.254/latest/meta-data');
    expect(answer.status).toBe(422);
    const problem = (await answer.json()) as { code: string; detail: string };
    expect(problem.code).toBe('unprocessable');
    expect(problem.detail).toContain('callbacks.allow');
    expect(service.model.calls.filter((body) => body === 'hello').length).toBe(1);
  });

  it('tells of requests that never ran, and keeps their records as long as it tries', async () => {
    const target = await receiver();
    const answer = await submit('later', target.url, { 'Sluice-Delay': '1h' });
    const { id } = (await answer.json()) as { id: string };
    const path = `${service.url}/v1/services/demo/requests/${id}/cancel`;
    await fetch(path, { method: 'POST', headers: { Authorization: service.token } });
    await vi.waitFor(() => expect(target.calls.length).toBe(1), { timeout: 60_000 });
    const { type, data } = JSON.parse(target.calls[0]?.body ?? '');
    expect(type).toBe('request.canceled');
    expect(data).toMatchObject({ id, state: 'canceled', deliveries: 0 });
    expect(Date.parse(data.retainUntil) - Date.parse(data.doneAt)).toBeGreaterThanOrEqual(
      scheduleMsMax,
    );
  });

  it('delivers after a crash what it was delivering', async () => {
    const target = await receiver();
    target.reply = 'hang';
    const rotated = await service.sluice('webhooks', 'demo', '--rotate', '--overlap', '1h');
    expect(rotated.code).toBe(0);
    const before = await webhooks();
    expect(before.keys.length).toBe(2);
    await submit('again', target.url, { 'Sluice-Callback-Events': 'succeeded' });
    await vi.waitFor(() => expect(target.calls.length).toBe(1), { timeout: 60_000 });
    target.reply = { status: 200 };
    await service.crash();
    await vi.waitFor(() => expect(target.calls.length).toBe(2), { timeout: 60_000 });
    expect(new Set(target.calls.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    await vi.waitFor(
      async () => {
        expect(await webhooks()).toEqual({ ...before, pending: 0 });
      },
      { timeout: 60_000 },
    );
  });

  it('shows by command how callbacks fare, changes the secrets, and opens an address', async () => {
    const target = await receiver();
    target.reply = { status: 410 };
    const { id } = (await (await submit('gone too', target.url)).json()) as { id: string };
    const requests = new RequestClient({ url: service.url, token: service.token, service: 'demo' });
    await vi.waitFor(
      async () => expect(await requests.callbacks(id)).toMatchObject({ pending: false }),
      { timeout: 60_000 },
    );
    const before = (await webhooks()).keys[0];
    const shown = await service.sluice('webhooks', 'demo');
    expect(shown.stdout).toMatch(/^Secret {2,}whsec_\S+\nPublic key {2,}whpk_\S+$/m);
    expect(shown.stdout).toMatch(/^\d+ callbacks are to be delivered$/m);
    expect(shown.stdout).toContain(`${target.url} answered 410 at 20`);
    const rotated = await service.sluice('webhooks', 'demo', '--rotate', '--overlap', '2h');
    const secrets = [...rotated.stdout.matchAll(/^Secret {2,}(\S+)$/gm)].map(
      ([, secret]) => secret,
    );
    expect(secrets.slice(0, 2)).toEqual([
      expect.not.stringContaining(before?.secret ?? ''),
      before?.secret,
    ]);
    const [, until = ''] = /^Signs until {2,}(\S.*)$/m.exec(rotated.stdout) ?? [];
    const hours = (Date.parse(until) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(1.9);
    expect(hours).toBeLessThanOrEqual(2);
    const opened = await service.sluice('webhooks', 'demo', '--open', target.url);
    expect(opened.stdout).not.toContain(target.url);
    for (const [wrong, why] of [
      [['demo', '--overlap', '1h'], '--overlap goes with --rotate'],
      [['demo', '--rotate', '--open', target.url], 'cannot be used with'],
      [['demo', '--open', target.url], 'has not closed that address'],
    ] as const) {
      const refused = await service.sluice('webhooks', ...wrong);
      expect(refused).toMatchObject({ stdout: '', stderr: expect.stringContaining(why) });
      expect(refused.code).not.toBe(0);
    }
  });
});
