// Counts calls into native code that work through bytes: buffers, hashes, JSON, text, files,
// sockets and clocks. They run no source that could be counted, so they are wrapped, before
// anything else is loaded.

import { createRequire, syncBuiltinESMExports } from 'node:module';

export interface Natives {
  /** What was called since the last time. */
  take(): { readonly calls: number; readonly bytes: number };
}

type Holder = Record<string, unknown>;

const require = createRequire(import.meta.url);

const modules: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': [
    ...['createHash', 'createHmac', 'hash', 'randomBytes', 'randomInt', 'randomUUID'],
    ...['timingSafeEqual', 'createCipheriv', 'pbkdf2Sync', 'scryptSync'],
  ],
  'node:zlib': ['crc32', 'gzipSync', 'gunzipSync', 'deflateSync', 'inflateSync'],
  'node:fs': [
    ...['readFileSync', 'writeFileSync', 'openSync', 'readSync', 'writeSync', 'fsyncSync'],
    ...['fdatasyncSync', 'statSync', 'existsSync', 'readdirSync'],
    ...['write', 'writev', 'read', 'readv', 'fsync', 'fdatasync'],
  ],
  'node:child_process': ['spawnSync', 'execFileSync', 'execSync'],
};

/** These answer how much they have copied, into something that is larger. */
const copying: readonly string[] = ['write', 'copy'];

/** Wraps them for the rest of the process. */
export function countNatives(): Natives {
  let calls = 0;
  let bytes = 0;
  const wrap = (holder: Holder, name: string): void => {
    const native = holder[name];
    if (typeof native !== 'function') return;
    const counted = function (this: unknown, ...args: unknown[]): unknown {
      calls += 1;
      const found: unknown = Reflect.apply(native, this, args);
      bytes += sizeOf(found) + args.reduce((sum: number, arg) => sum + sizeOf(arg), 0);
      if (typeof found === 'number' && copying.includes(name)) bytes += found;
      return found;
    };
    // Some have others of the same kind for properties.
    holder[name] = Object.assign(counted, native);
  };
  for (const [module, names] of Object.entries(modules)) {
    const holder: Holder = require(module);
    for (const name of names) wrap(holder, name);
  }
  const hash: Holder = Object.getPrototypeOf(require('node:crypto').createHash('md5'));
  for (const name of ['update', 'digest']) wrap(hash, name);
  wrap(require('node:net').Socket.prototype, 'write');
  const { JSON: json, Buffer: buffer, TextEncoder: encoder, TextDecoder: decoder } = globalThis;
  for (const name of ['parse', 'stringify']) wrap(json as unknown as Holder, name);
  for (const name of ['from', 'concat', 'alloc', 'compare', 'byteLength']) {
    wrap(buffer as unknown as Holder, name);
  }
  const own = buffer.prototype as unknown as Holder;
  for (const name of ['toString', 'write', 'copy', 'equals', 'indexOf', 'includes', 'fill']) {
    wrap(own, name);
  }
  const array: Holder = Object.getPrototypeOf(Uint8Array.prototype);
  for (const name of ['set', 'slice', 'fill', 'indexOf', 'sort']) wrap(array, name);
  wrap(encoder.prototype as unknown as Holder, 'encode');
  wrap(decoder.prototype as unknown as Holder, 'decode');
  wrap(globalThis as unknown as Holder, 'structuredClone');
  // Whoever waits for time to pass looks at it often.
  wrap(Object.getPrototypeOf(performance), 'now');
  wrap(Date as unknown as Holder, 'now');
  wrap(process as unknown as Holder, 'hrtime');
  wrap(process.hrtime as unknown as Holder, 'bigint');
  syncBuiltinESMExports();
  return {
    take: () => {
      const found = { calls, bytes };
      calls = 0;
      bytes = 0;
      return found;
    },
  };
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 0;
}
