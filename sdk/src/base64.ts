// Standard base64 with padding (RFC 4648, section 4), the same in Node and browsers.

import { PlatformError } from './errors.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const codes: Uint8Array = new TextEncoder().encode(alphabet);
const padding = '='.charCodeAt(0);
const ascii = new TextDecoder();

// Characters to values; 255 where a character is not of the alphabet.
const values: Uint8Array = new Uint8Array(256).fill(255);
codes.forEach((code, value) => {
  values[code] = value;
});

export function encodeBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(padding);
  const code = (value: number): number => codes[value & 63] ?? 0;
  let at = 0;
  let from = 0;
  for (; from + 2 < bytes.length; from += 3) {
    const group =
      ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    out[at++] = code(group >> 18);
    out[at++] = code(group >> 12);
    out[at++] = code(group >> 6);
    out[at++] = code(group);
  }
  const left = bytes.length - from;
  if (left > 0) {
    const group = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8);
    out[at++] = code(group >> 18);
    out[at++] = code(group >> 12);
    if (left === 2) out[at] = code(group >> 6);
  }
  return ascii.decode(out);
}

/** Throws `bad_request` for anything but padded standard base64. */
export function decodeBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw malformed();
  const padded = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - padded);
  const letters = text.length - padded;
  let group = 0;
  let at = 0;
  for (let from = 0; from < letters; from++) {
    const unit = text.charCodeAt(from);
    const value = unit < 256 ? (values[unit] ?? 255) : 255;
    if (value === 255) throw malformed();
    group = ((group << 6) | value) & 0xffffff;
    if (from % 4 === 3) {
      out[at++] = group >> 16;
      out[at++] = group >> 8;
      out[at++] = group;
    }
  }
  if (padded === 1) {
    out[at++] = group >> 10;
    out[at] = group >> 2;
  } else if (padded === 2) {
    out[at] = group >> 4;
  }
  return out;
}

function malformed(): PlatformError {
  return new PlatformError('bad_request', 'The text is not base64 with padding.');
}
