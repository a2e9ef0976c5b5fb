// Sound brought to another sample rate: a sinc filter under a Hann window, cut off below half of
// the lower rate, so that what the new rate can't hold does not come back as another tone.

import type { Sound } from './wav.ts';

/** Zero crossings of the sinc to each side. */
const reach = 16;

/** The samples at the rate wanted. */
export function atRate({ rate, samples }: Sound, wanted: number): Float32Array {
  if (rate === wanted) return samples;
  const divisor = commonDivisor(rate, wanted);
  // Output n lies at n * step / phases in the input: 441 / 160 from 44,100 to 16,000.
  const [step, phases] = [rate / divisor, wanted / divisor];
  const cutoff = Math.min(1, wanted / rate) * 0.95;
  const half = Math.ceil(reach / cutoff);
  const tables = new Array<Float32Array>(phases);
  const out = new Float32Array(Math.floor((samples.length * phases) / step));
  for (let at = 0; at < out.length; at += 1) {
    const position = at * step;
    const phase = position % phases;
    const table = tables[phase] ?? weights(phase / phases, cutoff, half);
    tables[phase] = table;
    const start = Math.floor(position / phases) - half + 1;
    let sum = 0;
    for (let tap = Math.max(0, -start); tap < table.length; tap += 1) {
      sum += (table[tap] ?? 0) * (samples[start + tap] ?? 0);
    }
    out[at] = sum;
  }
  return out;
}

/** For a place `offset` behind a sample; they sum to 1, so that loudness stays. */
function weights(offset: number, cutoff: number, half: number): Float32Array {
  const table = Float32Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - half + 1 - offset;
    if (Math.abs(distance) >= half) return 0;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / half);
    const angle = Math.PI * distance * cutoff;
    return window * (angle === 0 ? 1 : Math.sin(angle) / angle);
  });
  const sum = table.reduce((total, value) => total + value, 0);
  return table.map((value) => value / sum);
}

function commonDivisor(one: number, other: number): number {
  return other === 0 ? one : commonDivisor(other, one % other);
}
