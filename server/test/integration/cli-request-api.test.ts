// Requests by command in front of a real server: submit, status, result, events, cancel, dead.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRequestService, type RequestService } from './request-service.ts';

// Each command is a process, and each world a server.

let service: RequestService;

beforeAll(async () => {
  service = await openRequestService();
});
afterAll(() => service.close());

/** Submits and answers the id. */
async function submitted(data: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await service.sluice('submit', 'demo', '--data', data, '--json', ...args);
  return (JSON.parse(stdout) as { id: string }).id;
}

describe('one request', () => {
  test('is submitted, waited for, and its result fetched again and again', async () => {
    const waited = await service.sluice('submit', 'demo', '--data', 'hello', '--wait');
    expect(waited).toMatchObject({ code: 0, stdout: 'hello' });
    const id = /^request (\S+)/.exec(waited.stderr)?.[1] ?? '';
    const file = join(service.world.home, 'result');
    const again = await service.sluice('result', 'demo', id, '-o', file);
    expect(again).toMatchObject({ code: 0, stdout: '', stderr: `5 bytes written to ${file}\n` });
    expect(readFileSync(file, 'utf8')).toBe('hello');
    const json = await service.sluice('result', 'demo', id, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ id, modelStatus: 200, text: 'hello' });
  });

  test('is the same request with the same key', async () => {
    const key = ['--key', 'letter 17'];
    const first = await submitted('letter', ...key);
    expect(await submitted('letter', ...key)).toBe(first);
    const other = await service.sluice('submit', 'demo', '--data', 'another', ...key);
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toMatch(/^error: .*key/);
  });

  test('says why it waits, where it runs, and what was delivered', async () => {
    const id = await submitted('wait', '--tag', 'user=7', '--priority', '3');
    await expect.poll(() => service.model.calls).toContain('wait');
    const running = await service.sluice('status', 'demo', id);
    expect(running.stdout).toMatch(/^State {2,}running on demo-\w+$/m);
    expect(running.stdout).toMatch(/^Tags {2,}user=7$/m);
    const unfinished = await service.sluice('result', 'demo', id);
    expect(unfinished.code).toBe(1);
    expect(unfinished.stderr).toContain('no result yet, the request is running on demo-');
    const later = await submitted('later', '--delay', '1h');
    const list = await service.sluice('status', 'demo', '--state', 'queued,running');
    expect(list.stdout).toMatch(new RegExp(`\\| ${later} +\\| queued .* 0 .*\\|`));
    expect(list.stdout).toContain(id);
    const found = await service.sluice('status', 'demo', '--tag', 'user=7', '--json');
    expect(JSON.parse(found.stdout)).toMatchObject([{ id, priority: 3, tags: { user: '7' } }]);
    const waiting = service.world.start(['result', 'demo', id, '--wait']);
    await waiting.says(/Running on demo-/);
    service.model.release();
    expect(await waiting.ended).toMatchObject({ code: 0, stdout: 'wait' });
    const done = await service.sluice('status', 'demo', id);
    expect(done.stdout).toMatch(/^State {2,}succeeded$/m);
  });

  test('is told from a failed one by the exit code, and its answer is there', async () => {
    const failed = await service.sluice('submit', 'demo', '--data', 'status 422', '--wait');
    expect(failed).toMatchObject({ code: 1, stdout: 'said 422' });
    expect(failed.stderr).toContain('the model answered with 422');
  });

  test('names what is wrong', async () => {
    const unknown = await service.sluice('status', 'demi');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('did you mean demo?');
    const none = await service.sluice('status', 'demo', '99-00000000');
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/^error: .*99-00000000/);
    const state = await service.sluice('status', 'demo', '--state', 'lost');
    expect(state.stderr).toContain('lost is none of queued, running');
  });
});

test('cancels requests that wait and that run, and says what was seen', async () => {
  const later = await submitted('later', '--delay', '1h');
  const gone = await service.sluice('cancel', 'demo', later, '--reason', 'not needed');
  expect(gone).toMatchObject({ code: 0 });
  expect(gone.stdout).toBe(`[OK] Request ${later} is canceled: it had not been running\n`);
  const running = await submitted('wait for cancel');
  await expect.poll(() => service.model.calls).toContain('wait for cancel');
  const aborted = await service.sluice('cancel', 'demo', running, later);
  expect(aborted.code).toBe(0);
  expect(aborted.stdout).toMatch(new RegExp(`Request ${running} is .*cancel.* demo-`));
  const none = await service.sluice('result', 'demo', running);
  expect(none.code).toBe(1);
  expect(none.stderr).toContain('canceled');
  const done = await submitted('done');
  await service.sluice('result', 'demo', done, '--wait');
  const late = await service.sluice('cancel', 'demo', done, later);
  expect(late.code).toBe(1);
  expect(late.stderr).toContain('1 of 2 were not canceled');
});

test('prints what the model streams while it does, and the events of a request', async () => {
  const id = await submitted('stream one two three');
  const raw = service.world.start(['events', 'demo', id, '--raw']);
  const events = service.world.start(['events', 'demo', id, '-f']);
  await Promise.all([raw.says(/one/), events.says(/one/)]);
  expect(raw.stdout()).not.toContain('three');
  service.model.release();
  expect(await raw.ended).toMatchObject({
    code: 0,
    stdout: 'data: stream\n\ndata: one\n\ndata: two\n\ndata: three\n\n',
  });
  const { code, stdout } = await events.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\S+ {2}state {5}running/m);
  expect(stdout).toMatch(/done {6}succeeded/);
  const json = await service.sluice('events', 'demo', id, '--json');
  const last = JSON.parse(json.stdout.trim().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ event: 'done', data: { state: 'succeeded' } });
});

test('ends by Ctrl-C with 130 and says that the request goes on', async () => {
  const waiting = service.world.start(['submit', 'demo', '--data', 'wait for long', '--wait']);
  await waiting.says(/Running on/);
  waiting.child.kill('SIGINT');
  const { code, stderr } = await waiting.ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/The request goes on: sluice result demo \S+ --wait/);
  service.model.release();
});

test('a folder is submitted over a crash of the server, each file once', async () => {
  const folder = join(service.world.home, 'pages');
  const out = join(service.world.home, 'texts');
  mkdirSync(folder);
  for (let page = 0; page < 20; page += 1) {
    writeFileSync(join(folder, `page-${page}.txt`), `wait: page ${page}`);
  }
  const submit = ['submit', 'demo', folder, '--out', out, '--concurrency', '8'];
  const running = service.world.start(submit);
  await expect.poll(() => service.model.calls.filter((call) => /page/.test(call)).length).toBe(4);
  service.model.release();
  await running.says(/done/);
  await service.crash();
  service.model.holds = false;
  service.model.release();
  const { code, stdout, stderr } = await running.ended;
  service.model.holds = true;
  expect(stderr).toContain('20 files: 20 done');
  expect(code).toBe(0);
  const ids = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[1]);
  expect(new Set(ids).size).toBe(20);
  expect(readFileSync(join(out, 'page-7.txt.txt'), 'utf8')).toBe('wait: page 7');
  const again = await service.sluice(...submit);
  expect(again.stderr).toContain('20 files: 20 done before');
  const { stdout: all } = await service.sluice('status', 'demo', '-n', '500', '--json');
  const found = (JSON.parse(all) as { id: string }[]).filter(({ id }) => ids.includes(id));
  expect(found).toHaveLength(20);
});

describe('the dead', () => {
  test('are listed, shown, redriven, exported and dropped', async () => {
    service.model.isBroken = true;
    const ids: string[] = [];
    // One after the other: the first one dead is to be the first in the rear queue.
    for (const body of ['{"n": 1}', 'two', 'three']) {
      const id = await submitted(body);
      const { stderr } = await service.sluice('result', 'demo', id, '--wait');
      expect(stderr).toContain('error:');
      ids.push(id);
    }
    const list = await service.sluice('dead', 'ls', 'demo');
    expect(list.stdout).toMatch(/\| +3 \| \S+ +\| \S+ +\| +2 \|/);
    const shown = await service.sluice('dead', 'show', 'demo', '1');
    expect(shown.stdout).toMatch(new RegExp(`^Request {2,}${ids[0]}$`, 'm'));
    expect(shown.stdout).toMatch(/\| 502 /);
    const payload = await service.sluice('dead', 'show', 'demo', '1', '--payload');
    expect(payload.stdout).toBe('{"n": 1}');
    const exported = await service.sluice('dead', 'export', 'demo');
    const lines = exported.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ text }) => text)).toEqual(['three', 'two', '{"n": 1}']);

    service.model.isBroken = false;
    const one = await service.sluice(
      'dead',
      'redrive',
      'demo',
      '1',
      '--data',
      '{"n": 9}',
      '--json',
    );
    expect(one.code).toBe(0);
    const { id, redriveOf } = JSON.parse(one.stdout) as { id: string; redriveOf: number };
    expect(redriveOf).toBe(Number(ids[0]?.split('-')[0]));
    const result = await service.sluice('result', 'demo', id, '--wait');
    expect(result.stdout).toBe('{"n": 9}');

    const many = await service.sluice('dead', 'redrive', 'demo', '2', '77');
    expect(many.code).toBe(1);
    expect(many.stdout).toMatch(/^2\t\S+$/m);
    expect(many.stdout).toMatch(/^77\tfailed: /m);
    const refused = await service.world.run(['dead', 'drop', 'demo', '3'], { input: 'no\n' });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('nothing was deleted');
    const dropped = await service.sluice('dead', 'drop', 'demo', '--all', '--yes');
    expect(dropped).toMatchObject({ code: 0, stdout: '[OK] Deleted dead request 3\n' });
    expect((await service.sluice('dead', 'ls', 'demo', '--json')).stdout).toBe('[]\n');
  });

  test('are named or all of them, never by accident', async () => {
    for (const command of ['redrive', 'drop']) {
      const { code, stderr } = await service.sluice('dead', command, 'demo');
      expect(code).toBe(1);
      expect(stderr).toContain('or say --all');
    }
  });

  test('with large bodies are shown as they are, and exported into files', async () => {
    const page = Buffer.alloc(9 * 2 ** 20, 'a page of a book; ');
    const file = join(service.world.home, 'book.txt');
    writeFileSync(file, page);
    service.model.isBroken = true;
    await service.sluice('submit', 'demo', file, '--wait');
    service.model.isBroken = false;
    const list = await service.sluice('dead', 'ls', 'demo', '--json');
    const [dead] = JSON.parse(list.stdout) as { rearIndex: number; size: number }[];
    expect(dead?.size).toBe(page.length);
    const number = String(dead?.rearIndex);
    const payload = await service.sluice('dead', 'show', 'demo', number, '--payload');
    expect(payload.stdout === page.toString()).toBe(true);
    const out = join(service.world.home, 'dead.jsonl');
    expect((await service.sluice('dead', 'export', 'demo', '-o', out)).code).toBe(0);
    const { bodyFile } = JSON.parse(readFileSync(out, 'utf8')) as { bodyFile: string };
    expect(readFileSync(bodyFile).equals(page)).toBe(true);
    await service.sluice('dead', 'redrive', 'demo', number, '--file', file);
  });
});
