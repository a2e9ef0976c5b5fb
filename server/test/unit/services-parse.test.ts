// What a service.json means: samples, names, instances, queues, tokens.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkService } from '../../src/services/parse.ts';
import { base, instances, loose, mistakes, open, parsed } from './services-files.ts';

const samples = new URL('../../../examples/service-json/', import.meta.url);
const sample = (name: string): string => readFileSync(new URL(name, samples), 'utf8');

describe('samples', () => {
  it('loads a processor service', () => {
    const { spec, warnings } = parsed(sample('processor.json'));
    expect(spec.name).toBe('house_prices');
    expect(spec.queues).toMatchObject({ declaresInstances: true, source: { capacity: 230_399 } });
    expect(spec.instances).toMatchObject({
      count: 1,
      window: 5,
      healthCheck: { probe: { kind: 'http', path: '/health' }, port: undefined },
      source: {
        kind: 'processor',
        processor: 'pmml',
        model: { address: 'http://models.example.com/house-prices.pmml', checksum: undefined },
        batching: undefined,
      },
    });
    expect(spec.instances.resources).toEqual({
      cpuMillis: 4000,
      memoryBytes: 8000 * 2 ** 20,
      gpus: 0,
    });
    expect(warnings).toEqual([]);
  });

  it('loads an image service and never makes a process of its script', () => {
    const { spec, warnings } = parsed(sample('image.json'));
    expect(spec.instances).toMatchObject({
      window: 4,
      source: {
        kind: 'container',
        image: 'registry.example.com/page-reader:1.4.0',
        run: { form: 'script', text: 'python server.py --port 8000' },
        port: 8000,
      },
    });
    expect(warnings).toEqual(['accepted without effect here: cloud, queue.cpu, queue.resource']);
  });

  it('loads both strictly too, since all their fields are known', () => {
    for (const name of ['processor.json', 'image.json']) {
      expect(checkService(sample(name), { strict: true, openAllowed: false }).ok).toBe(true);
    }
  });
});

describe('name', () => {
  it('stands in metadata or, older, at the top', () => {
    expect(parsed({ name: 'old', metadata: { instance: 0 } }).spec.name).toBe('old');
    expect(mistakes({ name: 'a', metadata: { name: 'b', instance: 0 } })).toEqual([
      'name: differs from metadata.name; give one of them',
    ]);
    expect(mistakes({ metadata: { instance: 0 } })).toEqual(['metadata.name: is required']);
  });

  it('takes letters, digits, _ and -, and one group in front', () => {
    for (const name of ['a', 'A_9-x', 'group.name', '9', 'x'.repeat(63)]) {
      expect(parsed({ metadata: { name, instance: 0 } }).spec.name).toBe(name);
    }
  });

  it('refuses whatever could leave its place in a path', () => {
    const names = ['', '.', '..', 'a/b', 'a..b', '.a', 'a.', 'a.b.c', '-a', 'a b', 'a%2f', 'ä'];
    for (const name of [...names, 'a\n', 'x'.repeat(64), 'a\0']) {
      expect(mistakes({ metadata: { name, instance: 0 } })).toHaveLength(1);
    }
  });
});

describe('type', () => {
  it('is taken as Async with a warning when it is missing', () => {
    const { warnings } = parsed({ metadata: { name: 'a', instance: 0 } });
    expect(warnings).toEqual(['metadata.type: is missing and taken as "Async"']);
  });

  it('is refused when it is another', () => {
    expect(mistakes({ metadata: { name: 'a', instance: 0, type: 'LLMGatewayService' } })).toEqual([
      'metadata.type: must be "Async", not "LLMGatewayService"',
    ]);
  });
});

describe('instances', () => {
  it('are none with queues only', () => {
    const { spec } = parsed({ metadata: { name: 'a', instance: 0 } });
    expect(spec.instances).toMatchObject({ source: { kind: 'none' }, count: 0 });
    expect(spec.queues.declaresInstances).toBe(false);
  });

  it('must come from somewhere', () => {
    expect(mistakes({ metadata: { name: 'a' } })).toEqual([
      'metadata.instance: is required; 0 makes a service of queues only',
    ]);
    expect(mistakes({ metadata: { name: 'a', instance: 1 } })[0]).toContain('nothing says how');
    const [line] = mistakes(base({ endpoint: 'http://h:1', containers: [{ command: 'x' }] }));
    expect(line).toContain('endpoint and containers are declared');
  });

  it('are one for each endpoint', () => {
    const list = ['http://127.0.0.1:9000', 'https://models.example.com/'];
    expect(instances({ endpoint: list }, undefined)).toMatchObject({
      source: { kind: 'endpoint', urls: ['http://127.0.0.1:9000', 'https://models.example.com'] },
      count: 2,
      request: { path: '/' },
    });
    expect(instances({ endpoint: 'http://h:1' }, 0).count).toBe(0);
    const { warnings } = parsed(base({ endpoint: list }, 1));
    expect(warnings[0]).toContain('all 2 servers of endpoint are used');
  });

  it('get their path from the endpoint or from request, not from both', () => {
    const endpoint = 'http://h:1/v1/predict';
    expect(instances({ endpoint }).request.path).toBe('/v1/predict');
    expect(mistakes(base({ endpoint, request: { path: '/x' } }))[0]).toContain('request.path');
    expect(mistakes(base({ endpoint: ['http://h:1/a', 'http://h:2/b'] }))[0]).toContain('one path');
  });

  it('refuse endpoints that are no plain address', () => {
    const urls = ['h:1', 'ftp://h', 'http://u:p@h', 'http://h/?a=1', 'http://h/#a', 'x', ''];
    for (const endpoint of urls) expect(mistakes(base({ endpoint }))).toHaveLength(1);
    expect(mistakes(base({ endpoint: ['http://h', 'http://h/'] }))[0]).toContain('twice');
    expect(mistakes(base({ endpoint: [] }))).toHaveLength(1);
  });

  it('are processes when a container has no image', () => {
    const env = [
      { name: 'MODEL', value: 'small' },
      { name: 'THREADS', value: 2 },
    ];
    const script = 'pip list\npython server.py';
    expect(instances({ containers: [{ script, env, work_dir: 'ocr' }] }, 2)).toMatchObject({
      source: {
        kind: 'process',
        form: 'script',
        text: script,
        port: 0,
        env: { MODEL: 'small', THREADS: '2' },
        workDir: 'ocr',
      },
      count: 2,
    });
  });

  it('get the words of a command quoted for the shell', () => {
    const { source } = instances({ containers: [{ command: ['node', "it's", '$HOME'] }] });
    expect(source).toMatchObject({ form: 'command', text: `'node' 'it'\\''s' '$HOME'` });
  });

  it('hold a fixed port one at a time only', () => {
    const containers = [{ command: 'x', port: 8000 }];
    expect(instances({ containers }, 1).source).toMatchObject({ port: 8000 });
    expect(mistakes(base({ containers }, 2))[0]).toContain('held by one process only, but 2');
    expect(mistakes(base({ containers, autoscaler: { max: 3 } }))[0]).toContain('but 3');
    expect(checkService(base({ containers: [{ image: 'x', port: 1 }] }, 2), loose).ok).toBe(true);
  });

  it('need exactly one way to start', () => {
    expect(mistakes(base({ containers: [{}] }))[0]).toContain('needs command or script');
    expect(mistakes(base({ containers: [{ command: 'a', script: 'b' }] }))).toHaveLength(1);
    expect(mistakes(base({ containers: [{ command: ' ' }] }))[0]).toContain('blank');
    expect(mistakes(base({ containers: [{ command: 'a' }, { command: 'b' }] }))[0]).toContain(
      'containers: 2 processes for one instance are not possible',
    );
    expect(mistakes(base({ containers: [] }))).toHaveLength(1);
  });

  it('keep PORT and HOST to Sluice', () => {
    for (const name of ['PORT', 'HOST']) {
      const env = [{ name, value: '1' }];
      expect(mistakes(base({ containers: [{ command: 'x', env }] }))[0]).toContain('set by Sluice');
    }
    const env = [{ name: 'A=B', value: '1' }];
    expect(mistakes(base({ containers: [{ command: 'x', env }] }))[0]).toContain('env[0].name');
  });

  it('count as declared with an autoscaler even at 0', () => {
    const scaled = parsed(base({ endpoint: 'http://h', autoscaler: { min: 0, max: 2 } }, 0));
    expect(scaled.spec.queues.declaresInstances).toBe(true);
    const bare = parsed(base({ endpoint: 'http://h' }, 0));
    expect(bare.spec.queues.declaresInstances).toBe(false);
  });
});

describe('feeding', () => {
  it('has the window, call and limits of EAS by default', () => {
    expect(instances({})).toMatchObject({
      window: 5,
      keepaliveMs: 600_000,
      request: { path: '/', paths: [], method: 'POST', contentType: 'application/octet-stream' },
      retryStatuses: [],
      releaseAfterMs: 30_000,
      terminationGraceMs: 30_000,
    });
  });

  it('takes the units of EAS and durations', () => {
    const metadata = { 'rpc.keepalive': 5000, 'eas.termination_grace_period': 90 };
    expect(instances({ metadata })).toMatchObject({
      keepaliveMs: 5000,
      terminationGraceMs: 90_000,
    });
    const texts = { 'rpc.keepalive': '1h', 'eas.termination_grace_period': '2m' };
    expect(instances({ metadata: texts, release_after: '5s' })).toMatchObject({
      keepaliveMs: 3_600_000,
      terminationGraceMs: 120_000,
      releaseAfterMs: 5000,
    });
    expect(instances({ metadata: { 'rpc.keepalive': 0 } }).keepaliveMs).toBe(0);
  });

  it('bounds the window', () => {
    for (const threads of [0, 65_537, 1.5, '4']) {
      const metadata = { 'rpc.worker_threads': threads };
      expect(mistakes(base({ metadata }))[0]).toContain('from 1 to 65536');
    }
    expect(instances({ metadata: { 'rpc.worker_threads': 65_536 } }).window).toBe(65_536);
  });

  it('refuses paths that leave their place', () => {
    const paths = ['x', '/a/../b', '/..', '/a/./b', '/%2e%2e/x', '/a%2Fb', '/a?b', '/a b', '/\\x'];
    for (const path of paths) {
      expect(mistakes(base({ request: { path } }))).toHaveLength(1);
      expect(mistakes(base({ request: { paths: [path] } }))).toHaveLength(1);
    }
    expect(instances({ request: { path: '/v1/a.b..c' } }).request.path).toBe('/v1/a.b..c');
  });

  it('sorts and bounds the statuses to try again', () => {
    expect(instances({ retry: { statuses: [500, 404, 500] } }).retryStatuses).toEqual([404, 500]);
    expect(mistakes(base({ retry: { statuses: [200] } }))[0]).toContain('retry.statuses[0]');
  });
});

describe('queues', () => {
  it('take every setting', () => {
    const queue = {
      max_delivery: 0,
      max_idle: '1h30m',
      dead_message_policy: 'Drop',
      dead_notice: false,
      dead_retention: '1d',
      group_retention: '0',
      resume: '500ms',
      source: { dedup: false, auto_evict: true, expire: '2h' },
      sink: { auto_evict: true, expire: '3h' },
      record: { retention: '1h', max_count: 5, max_size_mb: 1, max_result_size_mb: 2 },
    };
    expect(parsed(base({ queue })).spec.queues).toMatchObject({
      deliveryMax: 0,
      idleMs: 5_400_000,
      deadPolicy: 'Drop',
      deadNotice: false,
      deadRetentionMs: 86_400_000,
      groupRetentionMs: 0,
      resumeMs: 500,
      dedup: false,
      source: { autoEvict: true, expireMs: 7_200_000 },
      sink: { autoEvict: true, expireMs: 10_800_000 },
      recordRetentionMs: 3_600_000,
      recordCountMax: 5,
      recordBytesMax: 2 ** 20,
      recordResultBytesMax: 2 ** 21,
    });
  });

  it('want a unit with every duration but 0', () => {
    for (const max_idle of [30, '30', '1x', '5m1h', '', '-1s', '1.5h', '99999999d']) {
      expect(mistakes(base({ queue: { max_idle } }))[0]).toContain('queue.max_idle: must be');
    }
  });

  it('accept more queue instances with a warning that names the engine', () => {
    const { warnings } = parsed(base({ queue: { min_replica: 3 } }));
    expect(warnings).toContain(
      'queue.min_replica: 3 queue instances need the nats engine; the embedded engine has 1',
    );
  });

  it('name the right spelling of a word', () => {
    expect(mistakes(base({ queue: { dead_message_policy: 'rear' } }))).toEqual([
      'queue.dead_message_policy: must be one of "Rear", "Drop", not "rear"',
    ]);
  });
});

describe('token', () => {
  it('is generated, given, or empty where loopback allows it', () => {
    expect(parsed(base({})).spec.token).toEqual({ kind: 'generated' });
    expect(parsed(base({ token: 's3cret' })).spec.token).toEqual({
      kind: 'given',
      secret: 's3cret',
    });
    expect(parsed(base({ token: '' }), open).spec.token).toEqual({ kind: 'open' });
    expect(mistakes(base({ token: '' }))[0]).toContain('loopback');
  });

  it('never stands in the message about it', () => {
    for (const token of ['zebra stripes', 'z'.repeat(300), 98_765]) {
      const [line] = mistakes(base({ token }));
      expect(line).toContain('token: must be');
      expect(line).not.toContain(String(token).slice(0, 4));
    }
  });
});
