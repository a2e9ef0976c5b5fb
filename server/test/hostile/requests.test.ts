// The request API under hostile hands: nothing it is sent makes it fail by itself, name another
// place, write a header of the sender's choice, or tell of what is not the sender's.

import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AnswerCheck } from '../answer-check.ts';
import {
  adminToken,
  answersIn,
  ask,
  openWorld,
  type RawAnswer,
  requestOf,
  tokenOf,
  type World,
} from './world.ts';

let world: World;
let check: AnswerCheck;

beforeAll(async () => {
  world = await openWorld();
  const document = await ask(world, requestOf('GET', '/v1/openapi.json'));
  check = new AnswerCheck(JSON.parse(document.body));
});
afterAll(() => world.close());
afterEach(() => expect(world.errors).toEqual([]));

const base = '/v1/services/one';

interface Sent {
  readonly token?: string;
  readonly body?: string;
  readonly headers?: readonly string[];
}

/** One call, whose answer is held to the document of the API. */
async function sent(method: string, path: string, how: Sent = {}): Promise<RawAnswer> {
  const answer = await ask(world, requestOf(method, path, how));
  const type = /^content-type: *(.+)$/im.exec(answer.head)?.[1];
  const { status } = answer;
  const text = Buffer.from(answer.body, 'latin1').toString();
  check.check({ method, path, status, type, text });
  return answer;
}

async function length(): Promise<number> {
  const queues = await world.admin.queues('one');
  return queues[0]?.length ?? 0;
}

describe('addresses', () => {
  it.each([
    `${base}/requests/../tokens`,
    `${base}/requests/..%2f..%2ftokens`,
    `${base}/requests/%2e%2e/secret`,
    `${base}/requests/a/./b`,
    `${base}/requests//evil.example/x`,
    `${base}/requests/a//b`,
    `${base}/requests/a%00b`,
    `${base}/requests/a%5cb`,
    `${base}/requests/a\\b`,
    `${base}/requests/a#b`,
    `${base}/requests/%zz`,
    `${base}/requests/x?y=1`,
    `${base}/requests/${'x'.repeat(3000)}`,
  ])('bring no submission to another place: %s', async (path) => {
    const before = await length();
    const answer = await sent('POST', path, { body: 'x' });
    expect([400, 404]).toContain(answer.status);
    expect(await length()).toBe(before);
  });

  it.each([
    '/v1/services/%6f%6e%65/requests/1-00000000',
    `${base}/requests/1-0000000`,
    `${base}/requests/1-0000000G`,
    `${base}/requests/0-00000000`,
    `${base}/requests/-1-00000000`,
    `${base}/requests/99999999999999999999-00000000`,
    `${base}/requests/1e3-00000000`,
    `${base}/requests/%31-00000000`,
    `${base}/requests/__proto__`,
    `${base}/requests/constructor/result`,
    `${base}/dead/__proto__`,
    `${base}/dead/1e1`,
    `${base}/dead/9007199254740993`,
    '/v1/services/__proto__/requests',
    '/v1/services/%00/requests',
    '/v1/services//requests',
    '/v1/services/one/requests/1-00000000/..',
  ])('find nothing that is not there: %s', async (path) => {
    const answer = await sent('GET', path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.body).not.toContain(tokenOf('one'));
  });

  it('do not tell one service of another', async () => {
    const made = await sent('POST', `${base}/requests`, { body: 'x' });
    const { id } = JSON.parse(made.body);
    const other = `/v1/services/two/requests/${id}`;
    expect((await sent('GET', other)).status).toBe(401);
    expect((await sent('GET', other, { token: tokenOf('two') })).status).toBe(404);
    expect((await sent('GET', other, { token: adminToken })).status).toBe(404);
    expect((await sent('GET', `${base}/requests/${id}`)).status).toBe(200);
  });

  it('with an id that is nearly right find nothing', async () => {
    const made = await sent('POST', `${base}/requests`, { body: 'x' });
    const { id }: { id: string } = JSON.parse(made.body);
    const last = id.endsWith('0') ? '1' : '0';
    for (const near of [id.slice(0, -1) + last, id.toUpperCase(), `0${id}`, `${id}x`]) {
      if (near === id) continue;
      expect((await sent('GET', `${base}/requests/${near}`)).status).toBe(404);
      expect((await sent('POST', `${base}/requests/${near}/cancel`)).status).toBe(404);
    }
  });
});

describe('tokens', () => {
  it.each([
    ['', 401],
    ['wrong', 401],
    ['Bearer', 401],
    ['Bearer  ', 401],
    [`Basic ${tokenOf('one')}`, 401],
    [tokenOf('one').slice(0, -1), 401],
    [`${tokenOf('one')}x`, 401],
    [tokenOf('two'), 401],
    ['EAS AAAA', 401],
  ])('that are wrong open nothing: %s', async (token, status) => {
    const before = await length();
    for (const [method, path] of [
      ['POST', 'requests'],
      ['GET', 'requests'],
      ['POST', 'batches'],
      ['GET', 'dead'],
      ['POST', 'dead/redrive'],
      ['GET', 'dead/export'],
    ] as const) {
      const answer = await sent(method, `${base}/${path}`, { token, body: '{}' });
      expect([path, answer.status]).toEqual([path, status]);
    }
    expect(await length()).toBe(before);
  });
});

describe('headers', () => {
  it('of a submitter never become headers of an answer', async () => {
    // What HTTP itself forbids is refused before; these are the tricks that pass it.
    const tags = 'a=%0d%0aSet-Cookie: x=1, b=%00, c=%e2%80%a8';
    const made = await sent('POST', `${base}/requests`, {
      body: 'x',
      headers: [`Sluice-Tags: ${tags}`, 'Content-Type: text/html;%0d%0aX: 1'],
    });
    expect(made.status).toBe(202);
    const { id, tags: kept } = JSON.parse(Buffer.from(made.body, 'latin1').toString());
    expect(kept).toEqual({ a: '\r\nSet-Cookie: x=1', b: '\0', c: '\u2028' });
    for (const path of ['', '/result']) {
      const answer = await sent('GET', `${base}/requests/${id}${path}`);
      expect(answer.head.toLowerCase()).not.toContain('set-cookie');
    }
    const listed = await sent('GET', `${base}/requests?tag=${encodeURIComponent('b=\0')}`);
    expect(JSON.parse(listed.body).requests.length).toBeGreaterThan(0);
  });

  it.each([
    ['Idempotency-Key', 'k'.repeat(5000)],
    ['Idempotency-Key', '"a" "b"'],
    ['Idempotency-Key', '\xe9'],
    ['Sluice-Tags', `a=${'x'.repeat(9000)}`],
    ['Sluice-Tags', Array.from({ length: 65 }, (_, at) => `t${at}=1`).join(',')],
    ['Sluice-Tags', '=1'],
    ['Sluice-Tags', 'a=%ff'],
    ['Sluice-Priority', '1e9'],
    ['Sluice-Priority', '99999999999'],
    ['Sluice-Priority', '0x10'],
    ['Sluice-Delay', '1h1'],
    ['Sluice-Delay', `${'9'.repeat(400)}h`],
    ['Sluice-Start-Within', '-5s'],
    ['Sluice-Start-Within', 'Infinity'],
    ['Sluice-Callback', 'http://'],
    ['Sluice-Callback', 'javascript:alert(1)'],
    ['Sluice-Callback', 'file:///etc/passwd'],
    ['Sluice-Callback', `https://example.com/${'x'.repeat(4000)}`],
    ['Sluice-Body-Address', 'file:///etc/passwd'],
    ['Sluice-Body-Address', 'gopher://x/'],
    ['Sluice-Admin', 'true'],
  ])('are refused by name: %s: %s', async (name, value) => {
    const before = await length();
    const body = name === 'Sluice-Body-Address' ? '' : 'x';
    const headers = [`${name}: ${value}`];
    const answer = await sent('POST', `${base}/requests`, { body, headers });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).mistakes[0].toLowerCase()).toContain(name.toLowerCase());
    expect(await length()).toBe(before);
  });

  it('larger than the limit are refused before anything else', async () => {
    const headers = [`X-Large: ${'x'.repeat(70_000)}`];
    const answer = await sent('POST', `${base}/requests`, { body: 'x', headers });
    expect(answer.status).toBe(431);
  });

  it('of a preference that means nothing are ignored', async () => {
    for (const value of ['wait', 'wait=-1', 'wait=1e9', 'wait=;', '=', ',,,', '"', 'wait="x"']) {
      const headers = [`Prefer: ${value}`];
      const answer = await sent('POST', `${base}/requests`, { body: 'x', headers });
      expect([value, answer.status]).toEqual([value, 202]);
    }
  });
});

describe('bodies', () => {
  it('of calls are refused when they are no JSON or too large', async () => {
    const { id } = JSON.parse((await sent('POST', `${base}/requests`, { body: 'x' })).body);
    const cancel = `${base}/requests/${id}/cancel`;
    for (const body of ['{', '[]', '"x"', 'null', '{"reason": 1}', '{"__proto__": 1}']) {
      expect([body, (await sent('POST', cancel, { body })).status]).toEqual([body, 400]);
    }
    const large = JSON.stringify({ reason: 'x'.repeat(2 ** 20) });
    expect((await sent('POST', cancel, { body: large })).status).toBe(413);
    expect(JSON.parse((await sent('GET', `${base}/requests/${id}`)).body).state).toBe('queued');
  });

  it('of a batch have an outcome whatever is in them', async () => {
    const line = fc.oneof(
      fc.string({ maxLength: 60 }).map((text) => text.replaceAll('\n', ' ')),
      fc.json({ maxDepth: 3 }),
      fc
        .dictionary(
          fc.constantFrom(
            'body',
            'text',
            'base64',
            'path',
            'priority',
            'tags',
            'delay',
            'callback',
          ),
          fc.jsonValue({ maxDepth: 2 }),
        )
        .map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
        const body = Buffer.from(lines.join('\n')).toString('latin1');
        const peer = await world.peer();
        peer.send(requestOf('POST', `${base}/batches`, { body, headers: ['Connection: close'] }));
        const text = await peer.closed();
        expect(text).toMatch(/^HTTP\/1\.1 200 /);
        const found = text.match(/^\{"line":\d+,/gm) ?? [];
        expect(found.length).toBe(lines.filter((each) => each.trim() !== '').length);
      }),
      { numRuns: 40 },
    );
  });

  it('that end in the middle leave nothing behind', async () => {
    const before = await length();
    for (const path of ['requests', 'batches', 'requests/1-00000000/cancel', 'dead/redrive']) {
      const peer = await world.peer();
      const whole = requestOf('POST', `${base}/${path}`, { body: '{"text":"half of it"}' });
      peer.send(whole.slice(0, -4));
      peer.socket.end();
      await peer.closed();
    }
    expect(await length()).toBe(before);
  });

  it('may come after requests that were sent ahead on the same connection', async () => {
    const peer = await world.peer();
    const one = requestOf('POST', `${base}/requests`, { body: 'first' });
    const two = requestOf('GET', `${base}/requests?limit=1`);
    const three = requestOf('POST', `${base}/requests/v1/x`, { body: 'third' });
    peer.send(one + two + three);
    const text = await peer.until((sofar) => answersIn(sofar).length >= 3);
    expect(answersIn(text).map(({ status }) => status)).toEqual([202, 200, 202]);
    peer.socket.destroy();
  });
});

describe('cursors', () => {
  it('that were made up are refused, and those of another list', async () => {
    const { next } = JSON.parse((await sent('GET', `${base}/requests?limit=1`)).body);
    expect((await sent('GET', `${base}/requests?limit=1&cursor=${next}`)).status).toBe(200);
    expect((await sent('GET', `${base}/dead?cursor=${next}`)).status).toBe(400);
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 40 }), async (text) => {
        const made = Buffer.from(text).toString('base64url');
        for (const cursor of [encodeURIComponent(text), made, `${next}.${made}`]) {
          const answer = await sent('GET', `${base}/requests?cursor=${cursor}`);
          expect([cursor, answer.status]).toEqual([cursor, 400]);
        }
      }),
      { numRuns: 30 },
    );
  });
});
