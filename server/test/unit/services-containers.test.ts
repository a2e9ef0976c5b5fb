// What a service.json says of containers and of the room of an instance.

import { describe, expect, it } from 'vitest';
import { base, type File, instances, mistakes, parsed } from './services-files.ts';

const image = 'registry.example.com:5000/team/page-reader:1.4.0';
const container = (more: object = {}, file: File = {}): File => ({
  ...file,
  containers: [{ image, port: 8000, ...more }],
});

describe('an image', () => {
  it('becomes a container with all that is said of it', () => {
    const env = [{ name: 'MODEL', value: 'small' }];
    const file = container(
      { command: ['serve', '--fast'], env, work_dir: '/app' },
      {
        storage: [
          { mount_path: '/models/', local: { path: '/srv//models', readOnly: true } },
          { mount_path: '/out', host_path: { path: '/srv/out' } },
        ],
        dockerAuth: Buffer.from('user:secret').toString('base64'),
        metadata: { shm_size: 0.5 },
      },
    );
    expect(instances(file).source).toEqual({
      kind: 'container',
      image,
      run: ['serve', '--fast'],
      port: 8000,
      env: { MODEL: 'small' },
      workDir: '/app',
      mounts: [
        { from: '/srv/models', to: '/models', readOnly: true },
        { from: '/srv/out', to: '/out', readOnly: false },
      ],
      shmBytes: 2 ** 29,
      dockerAuth: 'dXNlcjpzZWNyZXQ=',
    });
  });

  it('runs its own command, one command, or lines of shell', () => {
    const runs = [{}, { command: 'serve $PORT' }, { script: 'a\nb' }].map((more) => {
      const { source } = instances(container(more));
      return source.kind === 'container' ? source.run : 'another kind';
    });
    expect(runs).toEqual([
      undefined,
      { form: 'command', text: 'serve $PORT' },
      { form: 'script', text: 'a\nb' },
    ]);
  });

  it('listens on 8000 when no port is given, and says so', () => {
    const { spec, warnings } = parsed(base({ containers: [{ image }] }));
    expect(spec.instances.source).toMatchObject({ port: 8000 });
    expect(warnings.join()).toContain('has to listen on 8000');
  });

  it.each(['ocr', 'ocr:latest', 'registry:5000/ocr', 'a/b/ocr:latest'])(
    'that is %s gives a warning that says why',
    (loose) => {
      const { warnings } = parsed(base(container({ image: loose })));
      expect(warnings.join()).toContain('instances started later may differ');
    },
  );

  it.each(['ocr:1', 'a/ocr:latest-2', `ocr@sha256:${'a'.repeat(64)}`])(
    'that is %s gives none',
    (pinned) => expect(parsed(base(container({ image: pinned }))).warnings).toEqual([]),
  );

  it.each(['', 'OCR:1', 'ocr:', 'a//b', 'http://x/ocr:1', 'ocr 1', 'ocr@sha256:12', '-a'])(
    'named "%s" is refused',
    (bad) => expect(mistakes(base(container({ image: bad })))[0]).toContain('containers[0].image'),
  );

  it('stays pending with more than one container, and with storage of a cloud', () => {
    const two = instances({ containers: [{ image }, { image }] }).source;
    expect(two).toMatchObject({ kind: 'pending' });
    const storage = [{ mount_path: '/m', oss: { path: 'oss://bucket/m/', readOnly: true } }];
    const cloud = instances(container({}, { storage })).source;
    expect(cloud).toMatchObject({ kind: 'pending' });
    expect(cloud.kind === 'pending' && cloud.missing).toContain('storage[0] is oss storage');
  });
});

describe('storage', () => {
  it.each([
    [{ mount_path: 'models', local: { path: '/m' } }, 'is not absolute'],
    [{ mount_path: '/m', local: { path: 'm' } }, 'is not absolute'],
    [{ mount_path: '/m', local: { path: '/a/../../etc' } }, 'holds ..'],
    [{ mount_path: '/', local: { path: '/m' } }, 'would hide the whole container'],
    [{ mount_path: '/m' }, 'says not what to mount'],
    [{ mount_path: '/m', local: { path: '/a' }, host_path: { path: '/b' } }, 'several sources'],
    [{ local: { path: '/a' } }, 'is required'],
  ])('%j is refused', (entry, text) => {
    expect(mistakes(base(container({}, { storage: [entry] }))).join('\n')).toContain(text);
  });

  it('refuses two things in one place', () => {
    const storage = ['/a', '/b'].map((path) => ({ mount_path: '/m', local: { path } }));
    expect(mistakes(base(container({}, { storage })))[0]).toContain('taken by another entry');
  });
});

describe('what an image cannot be given', () => {
  it('is told when the service is declared', () => {
    const prepare = { pythonRequirements: ['torch'] };
    expect(parsed(base(container({ prepare }))).warnings).toContain(
      'accepted without effect here: containers[0].prepare',
    );
    const two = [
      { image: 'a:1', port: 1 },
      { image: 'b:1', port: 2 },
    ];
    expect(parsed(base({ containers: two })).warnings).toEqual([
      'instances stay pending: 2 containers for one instance: this Sluice starts one; ' +
        'put them in one image, or make services',
    ]);
  });
});

describe('a login', () => {
  it('has to be base64 of user and password, and is never shown', () => {
    for (const dockerAuth of ['user:secret', 'dXNlcg==', '!', 7]) {
      const [line] = mistakes(base(container({}, { dockerAuth })));
      expect(line).toContain('dockerAuth');
      expect(line).not.toContain('secret');
    }
    expect(mistakes(base(container({}, { dockerAuth: '' })))).toEqual([]);
  });
});

describe('the room of an instance', () => {
  it('is cores, megabytes and whole accelerators', () => {
    expect(instances({ metadata: { cpu: 0.5, memory: 100, gpu: 2 } }).resources).toEqual({
      cpuMillis: 500,
      memoryBytes: 104_857_600,
      gpus: 2,
    });
    expect(instances({}).resources).toEqual({ cpuMillis: 0, memoryBytes: 0, gpus: 0 });
  });

  it('means nothing for servers that run already, which is told', () => {
    const file = { endpoint: 'http://h:1', metadata: { cpu: 1, shm_size: 1 }, storage: [] };
    const { spec, warnings } = parsed(base(file));
    expect(spec.instances.resources.cpuMillis).toBe(0);
    expect(warnings).toEqual([
      'metadata.cpu, metadata.shm_size: without effect on a service of endpoint',
    ]);
  });
});

describe('an update', () => {
  it('goes on in shares or numbers of instances', () => {
    const rolling_strategy = { max_surge: '25%', max_unavailable: 1, ready_timeout: '90s' };
    expect(instances({ metadata: { rolling_strategy } }).rolling).toEqual({
      maxSurge: { kind: 'percent', value: 25 },
      maxUnavailable: { kind: 'count', value: 1 },
      readyTimeoutMs: 90_000,
    });
    expect(instances({})).toMatchObject({
      rolling: {
        maxSurge: { kind: 'percent', value: 2 },
        maxUnavailable: { kind: 'count', value: 0 },
        readyTimeoutMs: 600_000,
      },
      drainTimeoutMs: 0,
    });
    expect(instances({ metadata: { drain_timeout: '2h' } }).drainTimeoutMs).toBe(7_200_000);
  });

  it.each(['101%', '-1', '1.5%', 1.5, -1, '%', 'all'])('refuses %j instances', (max_surge) => {
    const file = { metadata: { rolling_strategy: { max_surge } } };
    expect(mistakes(base(file))[0]).toContain('metadata.rolling_strategy.max_surge: must be');
  });

  it('can not go on with nothing more and nothing less', () => {
    const file = { metadata: { 'rolling_strategy.max_surge': '0%' } };
    expect(mistakes(base(file))[0]).toContain('lets no update go on');
  });
});
