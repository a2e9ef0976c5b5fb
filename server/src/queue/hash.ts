// Keyed 64-bit hashes of ids and tags, as two halves of 32 bits. The key is random per process,
// so that nobody outside can choose names that collide; hashes are never written anywhere.

export interface HashKey {
  readonly low: number;
  readonly high: number;
}

export interface Hash {
  readonly low: number;
  readonly high: number;
}

let lastKey: HashKey | undefined;
let lastText = '';
let lastHash: Hash = { low: 0, high: 0 };

/** Two multiplicative hashes run side by side over the UTF-16 units of `text`. */
export function hashText(key: HashKey, text: string): Hash {
  // A put is decided by the hash of its id and then applied by it: the same text twice in a row.
  if (text === lastText && key === lastKey) return lastHash;
  lastKey = key;
  lastText = text;
  lastHash = hashOf(key, text);
  return lastHash;
}

function hashOf(key: HashKey, text: string): Hash {
  let low = key.low ^ text.length;
  let high = key.high ^ 0x9e3779b9;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x85ebca6b);
    low ^= low >>> 15;
    high = Math.imul(high ^ unit, 0xc2b2ae35);
    high ^= high >>> 13;
  }
  return { low: finish(low, high), high: finish(high, low) };
}

/** The hash of one tag. The length of the name keeps (`a`, `bc`) apart from (`ab`, `c`). */
export function hashTag(key: HashKey, name: string, value: string): Hash {
  return hashText(key, `${name.length}:${name}${value}`);
}

/** 32 bits of a payload's content, the same in every process: it is kept with the message. */
export function hashBody(bytes: Uint8Array): number {
  let hash = bytes.length | 0;
  const words = bytes.length - (bytes.length % 4);
  for (let at = 0; at < words; at += 4) {
    const word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  for (let at = words; at < bytes.length; at += 1) {
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return finish(hash, bytes.length);
}

// The final mix of MurmurHash3 (public domain): every input bit reaches every output bit.
function finish(value: number, other: number): number {
  let mixed = value ^ (other >>> 7);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
