// How mistakes in a service.json are shown, and what a health check and a duration may look like.

import { describe, expect, it } from 'vitest';
import { durationMs, durationText } from '../../src/services/duration.ts';
import { checkService, parseService, ServiceFileError } from '../../src/services/parse.ts';
import { base, instances, loose, mistakes, parsed } from './services-files.ts';

describe('mistakes', () => {
  it('are shown all at once, those over several fields too', () => {
    const lines = mistakes({
      metadata: { name: '../a', instance: '2', 'rpc.worker_thread': 4, type: 'async' },
      containers: [{ comand: 'x', port: '8000' }],
      endpoint: 'ftp://x',
      retry: { statuses: [9999] },
      labels: { a: 3 },
      token: '',
      queue: { source: { max_length: 3, max_payload_size_kb: 8 }, max_idle: 30 },
    });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'metadata.rpc.worker_thread',
      'containers[0].comand',
      'metadata.type',
      'metadata.instance',
      'labels.a',
      'containers[0].port',
      'retry.statuses[0]',
      'queue.max_idle',
      'metadata.name',
      'endpoint',
      'endpoint',
      'token',
      'queue.source.max_payload_size_kb',
    ]);
  });

  it('do not include what only follows from another', () => {
    expect(mistakes(base({ containers: [{ command: 3 }] }))).toEqual([
      'containers[0].command: must be text or a list of words',
    ]);
  });

  it('come as one error with a line for each', () => {
    const call = (): unknown => parseService('{"metadata": {"instance": 0}}', loose);
    expect(call).toThrow(ServiceFileError);
    expect(call).toThrow(
      expect.objectContaining({
        code: 'bad_request',
        message: 'service.json has 1 mistake',
        mistakes: ['metadata.name: is required'],
        problems: [{ path: 'metadata.name', message: 'is required' }],
      }),
    );
  });

  it('are found in text that is no JSON, with line and column', () => {
    expect(mistakes('{"metadata": }')).toEqual(['not JSON: line 1, column 14: expected a value']);
    expect(mistakes('[]')).toEqual(['the file must be one JSON object']);
  });

  it('include unknown fields when strict', () => {
    const file = base({ colour: 'red' });
    const outcome = checkService(file, { strict: true, openAllowed: false });
    expect(outcome).toEqual({ ok: false, problems: [{ path: 'colour', message: 'is unknown' }] });
    expect(parsed(file).warnings).toContain('unknown, accepted without effect: colour');
  });
});

describe('health check', () => {
  it('is TCP on the port of the instance by default, with time to start', () => {
    expect(instances({}).healthCheck).toEqual({
      probe: { kind: 'tcp' },
      port: undefined,
      initialDelayMs: 600_000,
      periodMs: 10_000,
      timeoutMs: 5000,
      successThreshold: 1,
      failureThreshold: 3,
    });
  });

  it('reads both spellings alike', () => {
    const seconds = { initial_delay_seconds: 180, period_seconds: 5 };
    const flat = { type: 'http', path: '/health', port: 81, ...seconds };
    const nested = { http_get: { path: '/health', port: 81 }, ...seconds };
    const one = instances({ containers: [{ command: 'x', health_check: flat }] });
    const other = instances({ containers: [{ command: 'x' }], health_check: nested });
    expect(one.healthCheck).toMatchObject({
      probe: { kind: 'http', path: '/health' },
      port: 81,
      initialDelayMs: 180_000,
      periodMs: 5000,
    });
    expect(other.healthCheck).toEqual(one.healthCheck);
  });

  it('guesses its kind from what is given', () => {
    const probe = (health_check: unknown): unknown =>
      instances({ containers: [{ command: 'x' }], health_check }).healthCheck.probe;
    expect(probe({ path: '/h' })).toEqual({ kind: 'http', path: '/h' });
    expect(probe({ command: 'test -f ready' })).toEqual({
      kind: 'exec',
      argv: ['/bin/bash', '-c', 'test -f ready'],
    });
    expect(probe({ exec: { command: ['true'] } })).toEqual({ kind: 'exec', argv: ['true'] });
    expect(probe({ tcp_socket: { port: 5 } })).toEqual({ kind: 'tcp' });
  });

  it('is one, of one kind, that fits the instance', () => {
    const twice = { containers: [{ command: 'x', health_check: {} }], health_check: {} };
    expect(mistakes(base(twice))[0]).toContain('is the second health check');
    const both = { endpoint: 'http://h', health_check: { path: '/', tcp_socket: {} } };
    expect(mistakes(base(both))[0]).toContain('one way to check is possible');
    const exec = { endpoint: 'http://h', health_check: { command: 'x' } };
    expect(mistakes(base(exec))[0]).toContain('needs a process');
    const wrong = { endpoint: 'http://h', health_check: { type: 'tcp', path: '/x' } };
    expect(mistakes(base(wrong))).toEqual(['health_check.path: belongs to type http']);
    const bare = { containers: [{ command: 'x' }], health_check: { type: 'exec' } };
    expect(mistakes(base(bare))[0]).toContain('health_check.command: is required');
  });
});

describe('durations', () => {
  it('read and show every span alike', () => {
    expect(durationMs('1d2h3m4s5ms')).toBe(93_784_005);
    expect(durationText(93_784_005)).toBe('1d2h3m4s5ms');
    expect(durationMs('0')).toBe(0);
    expect(durationText(0)).toBe('0');
    expect(durationMs('1ms')).toBe(1);
    expect(durationMs('1m1m')).toBeUndefined();
  });
});
