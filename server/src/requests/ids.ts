// The public id of a request: `{index}-{8 hex digits}`. The index finds it among millions without a
// table of ids; the digits, of a hash of its request id, keep ids from being counted up.

import { createHash } from 'node:crypto';

const pattern = /^([1-9]\d{0,15})-([0-9a-f]{8})$/;

/** The public id of a message of the input queue. */
export function publicId(index: number, requestId: string): string {
  return `${index}-${checkOf(requestId)}`;
}

/** The index in a public id; undefined when it is none. Whether it names the request at that index
 * says `isIdOf`. */
export function indexOf(id: string): number | undefined {
  const index = Number(pattern.exec(id)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(index) ? index : undefined;
}

/** Whether a public id is that of the request with this request id. */
export function isIdOf(id: string, requestId: string): boolean {
  return pattern.exec(id)?.[2] === checkOf(requestId);
}

function checkOf(requestId: string): string {
  return createHash('sha256').update(requestId).digest('hex').slice(0, 8);
}
