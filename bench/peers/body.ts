// Messages of a size that say when they were due: sixteen digits of microseconds by the clock of
// the process, then filling. Submitter and consumers are one process, so one clock tells both.

import type { Body } from './adapter.ts';

const digits = 16;

/** A maker of messages of a size, at least the sixteen digits. */
export function makeBodies(
  form: 'text' | 'bytes',
  payloadBytes: number,
): (dueAtMs: number) => Body {
  const filling = 'x'.repeat(Math.max(0, payloadBytes - digits));
  if (form === 'text') return (dueAtMs) => headOf(dueAtMs) + filling;
  const template = Buffer.alloc(digits + filling.length, 'x');
  return (dueAtMs) => {
    const body = Buffer.allocUnsafe(template.length);
    template.copy(body);
    body.write(headOf(dueAtMs), 0, digits, 'latin1');
    return body;
  };
}

/** When it was due, in milliseconds. */
export function dueAtOf(body: Body): number {
  const head = typeof body === 'string' ? body.slice(0, digits) : textOf(body.subarray(0, digits));
  return Number(head) / 1000;
}

function headOf(dueAtMs: number): string {
  return String(Math.round(dueAtMs * 1000)).padStart(digits, '0');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
