// Half precision (IEEE 754 binary16), which JavaScript has no array for on Node 20: between its
// bits and numbers. 1 bit sign, 5 bits exponent with bias 15, 10 bits fraction.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of the half nearest to `value`, ties to even; too large ones become infinite. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  // 65,504 is the largest; from the middle to what would come next on, it is infinite.
  if (size >= 65_520) return sign | 0x7c00;
  // Below 2^-14 halves lie 2^-24 apart. Above, 2^-10 of their power of two.
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  float[0] = size;
  const exponent = ((bits[0] ?? 0) >>> 23) - 127;
  const steps = roundToEven((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + steps);
}

/** The number that these bits are. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
