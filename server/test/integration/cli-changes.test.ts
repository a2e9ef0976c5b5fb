// The commands that change services, in the order of a day's work, against a real server with real
// model processes: one story, each test goes on where the one before it ended.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandWorld, type Ended, openCommandWorld } from './cli-process.ts';
import { modelScript } from './process-world.ts';

let world: CommandWorld;
const folder = (): string => join(world.home, 'services');

beforeAll(async () => {
  world = openCommandWorld();
  const server = world.start([
    ...['serve', '--engine', 'memory', '--listen', '127.0.0.1:0'],
    ...['--data', join(world.home, 'data')],
  ]);
  await server.says(/Ready/);
  mkdirSync(folder());
});
afterAll(() => world.close());

function declare(name: string, metadata: object = {}, rest: object = {}): string {
  const file = join(folder(), `${name}.jsonc`);
  const definition = {
    metadata: { name, type: 'Async', instance: 1, ...metadata },
    containers: [{ command: `${process.execPath} ${modelScript}` }],
    ...rest,
  };
  writeFileSync(file, `// ${name}\n${JSON.stringify(definition)}`);
  return file;
}

const sluice = (...args: string[]): Promise<Ended> => world.run(args);

/** The JSON that a command answers; it must have done what it was told. */
async function json(...args: string[]) {
  const { code, stdout, stderr } = await sluice(...args, '--json');
  expect({ args, code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}

async function instanceNames(service: string): Promise<readonly string[]> {
  const all: readonly { readonly name: string; readonly kind: string }[] = await json('w', service);
  return all.filter(({ kind }) => kind !== 'queue').map(({ name }) => name);
}

describe('apply', () => {
  test('shows first what it would do, with an exit code of its own, and does nothing', async () => {
    declare('one');
    declare('two', { instance: 0 });
    const shown = await sluice('apply', folder(), '--dry-run');
    expect(shown).toMatchObject({ code: 2 });
    expect(shown.stdout).toMatch(/^\+ one: create\n( {4}\+ .*\n)*\+ two: create\n/);
    expect(shown.stdout).toContain('    + metadata.instance: 1\n');
    expect(shown.stdout).toMatch(/\n2 to create, 0 to change, 0 to delete, 0 unchanged\n$/);
    expect(shown.stdout).not.toContain('\u001b');
    expect(await json('ls')).toEqual([]);
  });

  test('makes all services what the files say, and leaves them alone the next time', async () => {
    const applied = await sluice('apply', folder());
    expect(applied).toMatchObject({ code: 0 });
    expect(applied.stdout).toContain('[OK] Service one is created (revision 1)\n');
    expect(applied.stdout).toContain('[OK] one: Service is running\n');
    expect(applied.stdout).toContain('[OK] two: Service is running\n');
    const again = await sluice('apply', folder(), '--dry-run');
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toBe(
      '  one: unchanged\n  two: unchanged\n' +
        '0 to create, 0 to change, 0 to delete, 2 unchanged\n',
    );
  });

  test('shows each field that changes', async () => {
    declare('two', { instance: 0 }, { queue: { max_delivery: 3 } });
    const applied = await sluice('apply', folder());
    expect(applied.stdout).toMatch(/^ {2}one: unchanged\n~ two: change\n/);
    expect(applied.stdout).toContain('    ~ queue.max_delivery: 5 -> 3\n');
    expect(applied.stdout).toContain('[OK] Service two is updated (revision 2)\n');
  });

  test('changes nothing when one of the files is wrong, and names every mistake', async () => {
    declare('bad', { instance: -1 });
    const more = declare('three', { instance: 0 });
    const refused = await sluice('apply', folder());
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /bad\.jsonc: [\s\S]*metadata\.instance[\s\S]*nothing is changed/,
    );
    expect(await json('ls')).toHaveLength(2);
    rmSync(join(folder(), 'bad.jsonc'));
    rmSync(more);
  });

  test('deletes what no file declares when it is told to, and asks', async () => {
    rmSync(join(folder(), 'two.jsonc'));
    const asked = await sluice('apply', folder(), '--prune');
    expect(asked).toMatchObject({ code: 1 });
    expect(asked.stdout).toContain('- two: delete, with its queues (0 waiting');
    expect(asked.stderr).toMatch(/Delete two .*\? \[y\/N\][\s\S]*nothing is changed/);
    expect(await json('ls')).toHaveLength(2);
    const pruned = await json('apply', folder(), '--prune', '--yes');
    expect(pruned).toMatchObject({ services: [{ name: 'one' }], deleted: ['two'] });
    const file = join(folder(), 'one.jsonc');
    expect((await sluice('apply', file, '--prune')).stderr).toContain('--prune needs a folder');
  });
});

describe('modify', () => {
  test('sets fields and rolls the change out', async () => {
    const before = await instanceNames('one');
    const args = ['-Dmetadata.instance=2', '-D', 'metadata.rpc.worker_threads=1'];
    const shown = await sluice('modify', 'one', ...args, '--dry-run');
    expect(shown).toMatchObject({ code: 2 });
    expect(shown.stdout).toContain('    ~ metadata.instance: 1 -> 2\n');
    const modified = await sluice('modify', 'one', ...args);
    expect(modified).toMatchObject({ code: 0 });
    expect(modified.stdout).toMatch(/^\[OK\] Service one is updated \(revision 2\)\n/);
    expect(modified.stdout).toMatch(/\[OK\] Service is running\n$/);
    // A change of the number rolls nothing.
    expect(await instanceNames('one')).toEqual(expect.arrayContaining([...before]));
  });

  test('lays a file over the service', async () => {
    const file = join(world.home, 'part.json');
    writeFileSync(file, '{"queue": {"max_delivery": 2}}');
    const answer = await json('modify', 'one', '-s', file);
    expect(answer).toMatchObject({ outcome: 'updated', status: 'Running' });
    expect(answer.changes).toEqual([{ path: 'queue.max_delivery', before: 5, after: 2 }]);
  });

  test('is refused with the place of each mistake', async () => {
    const typo = await sluice('modify', 'one', '-Dmetadata.instanse=3');
    expect(typo).toMatchObject({ code: 1, stdout: '' });
    expect(typo.stderr).toMatch(/instanse.*instance/);
    const nothing = await sluice('modify', 'one');
    expect(nothing.stderr).toContain('say what to change: -Dmetadata.instance=3');
    const form = await sluice('modify', 'one', '-Dinstance');
    expect(form.stderr).toContain('such as metadata.instance=3');
  });

  test('that can not run is taken back by itself, and says so with the last words', async () => {
    const env = '[{"name": "CRASH_CODE", "value": "3"}]';
    const failed = await sluice('modify', 'one', '-D', `containers[0].env=${env}`);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toMatch(
      /error: revision \d was rolled back to revision \d: .*ended with code 3/,
    );
    const { status, message } = await json('start', 'one').then(() => json('desc', 'one'));
    expect({ status, message }).toMatchObject({ status: 'Running' });
  });
});

test('version lists the versions and switches to one', async () => {
  const list = await sluice('version', 'one');
  expect(list.stdout).toMatch(/\| VERSION \| +CREATETIME +\| SOURCEVERSION \| CURRENT \|/);
  expect(list.stdout).toMatch(/\| +1 \| \S+Z \| +1 \| +\| created/);
  expect(list.stdout).toMatch(/\| yes +\| rolled back/);
  const switched = await sluice('version', 'one', '1');
  expect(switched).toMatchObject({ code: 0 });
  expect(switched.stdout).toMatch(/\[OK\] Service is running\n$/);
  const described = await json('desc', 'one');
  expect(described.definition.metadata.instance).toBe(1);
  const revisions: readonly { readonly current: boolean; readonly text: string }[] = await json(
    ...['version', 'one'],
  );
  expect(revisions.filter(({ current }) => current)).toMatchObject([
    { text: expect.stringContaining('switched back to revision 1') },
  ]);
  expect((await sluice('version', 'one', '99')).stderr).toMatch(/error: .*99/);
});

test('dw has another instance take the place of one', async () => {
  const [old = ''] = await instanceNames('one');
  const replaced = await sluice('dw', 'one', old, '--force');
  expect(replaced).toMatchObject({ code: 0 });
  expect(replaced.stdout).toBe(`[OK] Replacing ${old}: they end at once\n`);
  expect(await json('start', 'one')).toMatchObject({ status: 'Running' });
  await expect.poll(() => instanceNames('one')).not.toContain(old);
  const unknown = await sluice('deleteworkers', 'one', 'one-nobody');
  expect(unknown.stderr).toContain('one-nobody');
  const queue = await sluice('dw', 'one', 'one-queue');
  expect(queue.stderr).toContain('it goes with the service alone');
});

describe('autoscale', () => {
  test('is shown, set field by field, and removed', async () => {
    const none = await sluice('autoscale', 'one');
    expect(none.stdout).toMatch(/^one has no autoscaler: -Dmin=0/);
    const fields = ['-Dmin=1', '-Dmax=3', '-Dstrategies.queue[avgbacklog]=10'];
    const made = await sluice('autoscale', 'local/one', ...fields);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toMatch(/^\[OK\] Autoscaler of one is set\n/);
    expect(made.stdout).toMatch(/\| +max \| 3 /);
    expect(made.stdout).toMatch(/\| +strategies\.queue\[avgbacklog\] \| 10 /);
    await sluice('autoscale', 'one', '-Dbehavior.scaleDown.stabilizationWindowSeconds=60');
    expect(await json('autoscale', 'one')).toMatchObject({
      ...{ min: 1, max: 3 },
      strategies: [{ metric: 'queue[avgbacklog]', threshold: 10 }],
      behavior: { scaleDownStabilizationSeconds: 60 },
    });
    const job = ['-DscaleJobs[0].name=night', '-DscaleJobs[0].schedule=0 20 * * *'];
    await sluice('autoscale', 'one', ...job, '-DscaleJobs[0].targetSize=1', '-Dmin=null');
    expect(await json('autoscale', 'one')).toMatchObject({
      ...{ min: 0, max: 3 },
      cron: { jobs: [{ name: 'night', schedule: '0 20 * * *', targetSize: 1 }] },
    });
    const removed = await sluice('autoscale', 'rm', 'one');
    expect(removed.stdout).toMatch(/^\[OK\] one has no autoscaler any more: 1 instance is wanted/);
    expect(await json('autoscale', 'one')).toBeNull();
  });

  test('is read whole from a file', async () => {
    const file = join(world.home, 'scaler.json');
    writeFileSync(file, '{"min": 1, "max": 2, "strategies": {"qps": 5}}');
    const [made] = (await sluice('autoscale', 'one', '-s', file)).stdout.split('\n');
    expect(made).toBe('[OK] Autoscaler of one is set');
    expect(await json('autoscale', 'one')).toMatchObject({
      max: 2,
      strategies: [{ metric: 'qps' }],
    });
    expect((await sluice('autoscale', 'one', '-Dmax=-1')).stderr).toContain('autoscaler.max');
    expect((await sluice('autoscale', 'one', '-s', file, '-Dmax=3')).stderr).toContain('give one');
    await sluice('autoscale', 'rm', 'one');
  });
});

describe('stop', () => {
  test('waits for what runs, keeps what waits, and start brings both back', async () => {
    const held = await json('put', 'one', '--data', 'hold');
    expect(held.index).toBeGreaterThan(0);
    await expect.poll(async () => (await json('desc', 'one')).running).toBe(1);
    const stopping = world.start(['stop', 'one']);
    await stopping.says(/Service is Stopping \(1 running request\)/);
    stopping.child.kill('SIGINT');
    const left = await stopping.ended;
    expect(left).toMatchObject({ code: 130 });
    expect(left.stderr).toContain('goes on without us: sluice desc one');
    const now = await sluice('stop', 'one', '--now');
    expect(now).toMatchObject({ code: 0 });
    expect(now.stdout).toMatch(/\[OK\] Service is stopped\n$/);
    expect(await json('w', 'one')).toEqual([]);
    expect((await sluice('ls')).stdout).toMatch(/\| one .*\| Stopped /);
    expect((await sluice('desc', 'one')).stdout).toMatch(/Status \| Stopped/);
    const refused = await sluice('put', 'one', '--data', 'x');
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/stopped/);
    const started = await sluice('start', 'one');
    expect(started).toMatchObject({ code: 0 });
    expect(started.stdout).toMatch(/\[OK\] Service is running\n$/);
    await expect.poll(async () => (await json('desc', 'one')).running).toBe(1);
  });
});

test('the file of one service can be written from what is deployed', async () => {
  const { definition } = await json('desc', 'one');
  const file = join(world.home, 'again.json');
  writeFileSync(file, JSON.stringify(definition));
  const shown = await sluice('apply', file, '--dry-run');
  expect(shown.stdout).toContain('  one: unchanged\n');
  expect(readFileSync(file, 'utf8')).toContain(modelScript);
});
