// Sound made up for tests: something that speech detectors take for a voice (pulses as of vocal
// cords, through three resonances that change as vowels do), and WAV files in several formats.

const vowels = [
  [730, 1090, 2440],
  [270, 2290, 3010],
  [570, 840, 2410],
  [530, 1840, 2480],
] as const;

/** A voice from second `from` to second `to`, silence around it. */
export function voiceBetween(
  from: number,
  to: number,
  { seconds, rate }: { readonly seconds: number; readonly rate: number },
): Float32Array {
  const samples = new Float32Array(Math.round(seconds * rate));
  const memory = [0, 1, 2].map(() => ({ last: 0, before: 0 }));
  let phase = 0;
  for (let at = Math.round(from * rate); at < Math.round(to * rate); at += 1) {
    const time = at / rate - from;
    phase += (120 + 15 * Math.sin(2 * Math.PI * 2.5 * time)) / rate;
    const hasPulse = phase >= 1;
    if (hasPulse) phase -= 1;
    // A little breath: a cheap noise that is the same in every run.
    const breath = ((at * 7919) % 1000) / 1000 - 0.5;
    let value = breath * 0.02 + (hasPulse ? 1 : 0);
    const vowel = vowels[Math.floor(time / 0.18) % vowels.length] ?? vowels[0];
    for (const [part, state] of memory.entries()) {
      const damping = Math.exp((-Math.PI * (60 + 30 * part)) / rate);
      const turn = 2 * damping * Math.cos((2 * Math.PI * (vowel[part] ?? 0)) / rate);
      const next = (1 - damping) * 1.5 * value + turn * state.last - damping ** 2 * state.before;
      state.before = state.last;
      state.last = next;
      value = next;
    }
    samples[at] = value * (0.55 + 0.45 * Math.sin(2 * Math.PI * 4 * time - 1.5));
  }
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return samples.map((value) => (value * 0.5) / loudest);
}

/** A WAV file of 16 bits, the same in each channel. */
export function wavOf(
  samples: Float32Array,
  rate: number,
  { channels = 1 }: { readonly channels?: number } = {},
): Uint8Array {
  const data = Buffer.alloc(samples.length * 2 * channels);
  for (const [at, value] of samples.entries()) {
    for (let channel = 0; channel < channels; channel += 1) {
      data.writeInt16LE(Math.round(value * 32_767), (at * channels + channel) * 2);
    }
  }
  return wavFile({ codec: 1, channels, rate, bits: 16 }, data);
}

/** A WAV file around data that are ready. */
export function wavFile(
  format: {
    readonly codec: number;
    readonly channels: number;
    readonly rate: number;
    readonly bits: number;
  },
  data: Uint8Array,
): Uint8Array {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(format.codec, 20);
  head.writeUInt16LE(format.channels, 22);
  head.writeUInt32LE(format.rate, 24);
  const frame = (format.channels * format.bits) / 8;
  head.writeUInt32LE(format.rate * frame, 28);
  head.writeUInt16LE(frame, 32);
  head.writeUInt16LE(format.bits, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
