// Archives as no honest program makes them, byte by byte: for tests of what is unpacked and what is
// refused.

import { crc32, deflateRawSync } from 'node:zlib';

export interface TarEntry {
  readonly name: string;
  readonly type?: string;
  readonly content?: Uint8Array;
  /** What the header says; else the length of the content. */
  readonly size?: number;
  readonly link?: string;
}

/** A tar archive with its end. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

function tarEntry({
  name,
  type = '0',
  content = Buffer.alloc(0),
  size,
  link = '',
}: TarEntry): Buffer {
  const head = Buffer.alloc(512);
  head.write(name, 0, 100);
  head.write('0000644\0', 100);
  const said = size ?? content.length;
  if (said < 8 ** 11) head.write(`${said.toString(8).padStart(11, '0')}\0`, 124);
  else {
    head.writeUInt8(0x80, 124);
    head.writeBigUInt64BE(BigInt(said), 128);
  }
  head.write(type, 156);
  head.write(link, 157, 100);
  head.write('ustar\x0000', 257);
  head.fill(' ', 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([head, content, padding]);
}

/** An extended header of POSIX. */
export function paxOf(records: Readonly<Record<string, string>>): TarEntry {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    const length = rest + String(rest + String(rest).length).length;
    return `${length} ${key}=${value}\n`;
  });
  return { name: 'pax', type: 'x', content: Buffer.from(lines.join('')) };
}

export interface ZipEntry {
  readonly name: string;
  readonly content?: Uint8Array;
  readonly stored?: boolean;
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** What the archive says; else what is true. */
  readonly size?: number;
  readonly crc?: number;
  /** Where the archive says its data lie; else where they do. */
  readonly at?: number;
}

/** A zip archive. */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const heads: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { name, content = Buffer.alloc(0), stored = false, mode = 0o100644, flags = 0 } = entry;
    const data = stored ? Buffer.from(content) : deflateRawSync(content);
    const method = entry.method ?? (stored ? 0 : 8);
    const crc = entry.crc ?? crc32(content);
    const title = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(title.length, 26);
    parts.push(local, title, data);
    const head = Buffer.alloc(46);
    head.writeUInt32LE(0x02014b50, 0);
    head.writeUInt16LE(0x031e, 4);
    head.writeUInt16LE(flags, 8);
    head.writeUInt16LE(method, 10);
    head.writeUInt32LE(crc, 16);
    head.writeUInt32LE(data.length, 20);
    head.writeUInt32LE(entry.size ?? content.length, 24);
    head.writeUInt16LE(title.length, 28);
    head.writeUInt32LE(mode * 65_536, 38);
    head.writeUInt32LE(entry.at ?? at, 42);
    heads.push(head, title);
    at += local.length + title.length + data.length;
  }
  const directory = Buffer.concat(heads);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, end]);
}
