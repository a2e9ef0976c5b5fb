// How many messages fit: the worked figures, and what is refused at deploy time.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { payloadFor, roomBytes } from '../../src/services/capacity.ts';
import { checkService } from '../../src/services/parse.ts';

describe('capacity', () => {
  it('holds exactly 230,399 messages of 8 KB in each queue by default', () => {
    const { source, sink } = settings({});
    expect(source).toMatchObject({ capacity: 230_399, payloadBytesMax: 8192 });
    expect(sink).toMatchObject({ capacity: 230_399, payloadBytesMax: 8192 });
  });

  it('agrees with the defaults that the rules of the queue name', () => {
    expect(settings({})).toEqual(defaultSettings);
  });

  it('follows memory, share and payload', () => {
    const { source, sink } = settings({
      memory: 1000,
      source: { max_payload_size_kb: 16 },
      sink: { memory_ratio: 0.25, max_payload_size_kb: 1 },
    });
    expect(source.capacity).toBe(Math.floor((1000 * 2 ** 20 * 0.9 * 0.75) / 16_384) - 1);
    expect(sink.capacity).toBe(Math.floor((1000 * 2 ** 20 * 0.9 * 0.25) / 1024) - 1);
  });

  it('derives the largest payload from max_length', () => {
    const { source } = settings({ source: { max_length: 1000 } });
    expect(source).toMatchObject({ capacity: 1000, payloadBytesMax: 1_885_551 });
    expect(settings({ source: { max_length: 1_000_000 } }).source.payloadBytesMax).toBe(1887);
  });

  it('keeps a payload at 31 MiB however few messages there may be', () => {
    expect(settings({ sink: { max_length: 1 } }).sink.payloadBytesMax).toBe(31 * 2 ** 20);
    expect(settings({ sink: { max_payload_size_kb: 31 * 1024 } }).sink.payloadBytesMax).toBe(
      31 * 2 ** 20,
    );
    expect(mistakes({ sink: { max_payload_size_kb: 31 * 1024 + 1 } })).toEqual([
      'queue.sink.max_payload_size_kb: must be a whole number from 1 to 31744, not 31745',
    ]);
  });

  it('takes one of max_length and max_payload_size_kb for one queue', () => {
    expect(mistakes({ source: { max_length: 5, max_payload_size_kb: 8 } })).toHaveLength(1);
    const mixed = settings({ source: { max_length: 5 }, sink: { max_payload_size_kb: 9 } });
    expect(mixed.source.capacity).toBe(5);
    expect(mixed.sink.payloadBytesMax).toBe(9216);
  });

  it('refuses a payload that does not fit and names the number that would', () => {
    const [line] = mistakes({ memory: 10, source: { max_payload_size_kb: 4000 } });
    expect(line).toContain('queue.source.max_payload_size_kb: is too large: at most 2304 KB');
    const { source } = settings({ memory: 10, source: { max_payload_size_kb: 2304 } });
    expect(source.capacity).toBe(1);
  });

  it('refuses a number of messages that leaves no byte for each', () => {
    const [line] = mistakes({ memory: 1, source: { max_length: 2_000_000 } });
    expect(line).toContain('at most 471858 fit');
    const { source } = settings({ memory: 1, source: { max_length: 471_858 } });
    expect(source.payloadBytesMax).toBe(1);
  });

  it('never promises more bytes than the room has', () => {
    const memory = fc.integer({ min: 1, max: 2 ** 24 });
    const share = fc.integer({ min: 1, max: 999_999 });
    fc.assert(
      fc.property(memory, share, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (mb, part, length) => {
        const room = roomBytes(mb, part);
        expect(BigInt(payloadFor(room, length)) * BigInt(length + 1) <= room).toBe(true);
      }),
    );
  });
});

function check(queue: unknown): ReturnType<typeof checkService> {
  return checkService(
    { metadata: { name: 'a', instance: 0, type: 'Async' }, queue },
    { strict: true, openAllowed: false },
  );
}

function settings(queue: unknown): ServiceSettings {
  const outcome = check(queue);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problems));
  return outcome.service.spec.queues;
}

function mistakes(queue: unknown): readonly string[] {
  const outcome = check(queue);
  return outcome.ok ? [] : outcome.problems.map(({ path, message }) => `${path}: ${message}`);
}
