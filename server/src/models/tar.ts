// Reads tar archives: ustar with the extensions of GNU (long names) and POSIX (pax: path and size),
// as "pax Interchange Format" of POSIX.1-2001 and the manual of GNU tar have them. Links, devices
// and sparse files are refused by name.

import { type ArchiveEntry, shownName } from './archive-entry.ts';
import { finalError } from './fetch-error.ts';

const blockBytes = 512;
/** Of an extended header: a path and some times. */
const metaBytesMax = 1024 * 1024;

interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

const refusedTypes: Readonly<Record<string, string>> = {
  '1': 'a link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  S: 'a sparse file',
};

/** The entries one after the other; throws a final error for what is damaged or refused. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const bytes = new ByteReader(source);
  try {
    let longName: string | undefined;
    let pax: ReadonlyMap<string, string> = new Map();
    for (;;) {
      const block = await bytes.take(blockBytes);
      if (block === undefined || block.every((byte) => byte === 0)) break;
      const header = headerOf(block);
      if (header.type === 'L') longName = cString(await metaOf(bytes, header));
      else if (header.type === 'x') pax = recordsOf(await metaOf(bytes, header));
      else if (header.type === 'g' || header.type === 'K') await metaOf(bytes, header);
      else {
        const name = pax.get('path') ?? longName ?? header.name;
        const size = pax.has('size') ? Number(pax.get('size')) : header.size;
        yield* entryOf({ ...header, name, size }, pax, bytes);
        longName = undefined;
        pax = new Map();
      }
    }
  } finally {
    await bytes.close();
  }
}

async function* entryOf(
  { name, size, type }: Header,
  pax: ReadonlyMap<string, string>,
  bytes: ByteReader,
): AsyncGenerator<ArchiveEntry> {
  const refused = refusedTypes[type];
  if (refused !== undefined) throw finalError(`its entry ${shownName(name)} is ${refused}`);
  if ([...pax.keys()].some((key) => key.startsWith('GNU.sparse'))) {
    throw finalError(`its entry ${shownName(name)} is a sparse file`);
  }
  if (!['0', '\0', '5', '7'].includes(type)) {
    throw finalError(`its entry ${shownName(name)} is of the unknown type ${JSON.stringify(type)}`);
  }
  if (!Number.isSafeInteger(size) || size < 0)
    throw finalError(`its entry ${shownName(name)} has no size`);
  // Archives of before 1988 have no type for folders.
  const isFolder = type === '5' || name.endsWith('/');
  if (isFolder && size > 0) throw finalError(`its folder ${shownName(name)} has content`);
  const content = bytes.pieces(size, `${shownName(name)} is cut short`);
  yield { name, kind: isFolder ? 'folder' : 'file', size, content };
  await skipPadding(bytes, size);
}

async function metaOf(bytes: ByteReader, { size }: Header): Promise<Buffer> {
  if (size > metaBytesMax) throw finalError('it has an extended header that is too long');
  const meta = await bytes.take(size);
  if (meta === undefined) throw finalError('it is cut short');
  await skipPadding(bytes, size);
  return meta;
}

async function skipPadding(bytes: ByteReader, size: number): Promise<void> {
  const padding = (blockBytes - (size % blockBytes)) % blockBytes;
  if (padding > 0 && (await bytes.take(padding)) === undefined) throw finalError('it is cut short');
}

function headerOf(block: Buffer): Header {
  const said = octal(block.subarray(148, 156));
  if (said !== sumOf(block)) throw finalError('it is no tar archive, or a damaged one');
  const prefix = isPosix(block) ? cString(block.subarray(345, 500)) : '';
  const plain = cString(block.subarray(0, 100));
  return {
    name: prefix === '' ? plain : `${prefix}/${plain}`,
    size: numberOf(block.subarray(124, 136)),
    type: String.fromCharCode(block[156] ?? 0),
  };
}

/** Of all bytes, its own place taken for blanks. */
function sumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < blockBytes; at += 1) sum += block[at] ?? 0;
  for (let at = 148; at < 156; at += 1) sum -= block[at] ?? 0;
  return sum;
}

/** GNU's own headers have other things where POSIX has the first part of a path. */
function isPosix(block: Buffer): boolean {
  return block.subarray(257, 263).toString('latin1') === 'ustar\0';
}

/** Octal digits, or (with the first bit set) a binary number of any length. */
function numberOf(field: Buffer): number {
  const [first = 0] = field;
  if ((first & 0x80) === 0) return octal(field);
  let value = first & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

function octal(field: Buffer): number {
  const text = cString(field).trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function cString(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? undefined : end).toString('utf8');
}

/** Records of the form "LENGTH KEY=VALUE\n". */
function recordsOf(meta: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < meta.length; ) {
    const space = meta.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(meta.subarray(at, space).toString('latin1'));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end > meta.length || end <= space + 1) {
      throw finalError('it has a damaged extended header');
    }
    const record = meta.subarray(space + 1, end - 1).toString('utf8');
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** Bytes of a stream, as many as are asked for. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** undefined: it ends before. */
  async take(count: number): Promise<Buffer | undefined> {
    const found: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const piece = await this.#next(missing);
      if (piece === undefined) return undefined;
      found.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(found);
  }

  async *pieces(count: number, cut: string): AsyncGenerator<Uint8Array> {
    for (let missing = count; missing > 0; ) {
      const piece = await this.#next(missing);
      if (piece === undefined) throw finalError(cut);
      missing -= piece.length;
      yield piece;
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(most);
    return piece;
  }
}
