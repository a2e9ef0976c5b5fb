// The checksum of short pieces: the same crc32 that zlib computes, four bytes at a time. The call
// into native code costs several times as much as the head of a row itself.

const polynomial = 0xedb8_8320;

/** `tables[n * 256 + byte]`: what a byte comes to with n bytes of zeros after it. */
const tables = makeTables();

function makeTables(): Int32Array {
  const made = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      value = (value & 1) === 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    }
    made[byte] = value;
  }
  for (let at = 256; at < made.length; at += 1) {
    const before = made[at - 256] ?? 0;
    made[at] = (before >>> 8) ^ (made[before & 255] ?? 0);
  }
  return made;
}

/** The crc32 of what lies between `start` and `end`; `seed` is the crc32 of what came before. */
export function shortCrc32(view: DataView, start: number, end: number, seed: number): number {
  let crc = ~seed;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= view.getInt32(at, true);
    crc =
      (tables[768 + (crc & 255)] ?? 0) ^
      (tables[512 + ((crc >>> 8) & 255)] ?? 0) ^
      (tables[256 + ((crc >>> 16) & 255)] ?? 0) ^
      (tables[crc >>> 24] ?? 0);
  }
  for (; at < end; at += 1) {
    crc = (crc >>> 8) ^ (tables[(crc ^ view.getUint8(at)) & 255] ?? 0);
  }
  return ~crc >>> 0;
}
