// The pages of lmdb's file as it lays them out, read without lmdb: heads, nodes, trees. Nothing is
// believed: what can't be right is a `PageError`. The numbers are those of lmdb's own structures
// `MDB_page_header`, `MDB_meta`, `MDB_db`, `MDB_node` and `MDB_ovpage` on a machine of 64 bits,
// little endian, in the version that lmdb 3.5 carries.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** What is wrong with one page. */
export class PageError extends Error {
  override readonly name = 'PageError';
  readonly page: number;

  constructor(page: number, what: string) {
    super(what);
    this.page = page;
  }
}

export interface Tree {
  /** How its keys are compared, among others; 0 = as bytes. Of the tree of free pages it holds what
   * concerns the whole file. */
  readonly flags: number;
  /** Levels, that of the leaves included. */
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflows: number;
  readonly entries: number;
  /** undefined: it is empty. */
  readonly root: number | undefined;
}

/** One of the two heads of the file, written in turns. */
export interface Head {
  /** The page that it is. */
  readonly page: number;
  /** What never differs between the two. */
  readonly constants: string;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
  readonly transaction: number;
}

/** A place in a page: of a branch it leads to `child`, of a leaf it holds `value`. */
export interface Node {
  readonly key: Buffer;
  readonly child: number;
  /** Of a value in pages of its own: what says where. */
  readonly value: Buffer;
  readonly size: number;
  readonly kind: 'plain' | 'big' | 'table';
}

export interface Page {
  readonly number: number;
  readonly kind: 'branch' | 'leaf' | 'overflow';
  /** The transaction that wrote it. */
  readonly transaction: number;
  readonly bytes: Buffer;
}

export interface BigValue {
  readonly page: number;
  readonly pages: number;
}

export const pageBytes = 4096;
export const pageHeadBytes = 24;
const magic = 0xbeef_c0de;
const dataVersion = 2;
const headFlags = 8;
const pageKinds: Readonly<Record<number, Page['kind']>> = { 1: 'branch', 2: 'leaf', 4: 'overflow' };
const nodeKinds: Readonly<Record<number, Node['kind']>> = { 0: 'plain', 1: 'big', 2: 'table' };
export const nodeHeadBytes = 8;
const treeBytes = 48;
const bigBytes = 24;
const none = 2n ** 64n - 1n;

/** Open from its making until `close`. */
export class PageFile {
  /** Whole pages. */
  readonly length: number;
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'r');
    this.length = Math.floor(fstatSync(this.#file).size / pageBytes);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** `number` is 0 or 1. */
  head(number: number): Head {
    const bytes = this.#pages(number, 1);
    const at = pageHeadBytes;
    const isHead =
      bytes.readUInt16LE(18) === headFlags &&
      bytes.readUInt32LE(at) === magic &&
      (bytes.readUInt32LE(at + 4) & 0xffff) === dataVersion &&
      bytes.readUInt32LE(at + 24) === pageBytes;
    if (!isHead) throw new PageError(number, 'It is no head of the file.');
    // Magic, version and address; size of a page, flags of the file, flags of the tree of names.
    const constants = [
      bytes.subarray(at, at + 16),
      bytes.subarray(at + 24, at + 30),
      bytes.subarray(at + 24 + treeBytes, at + 30 + treeBytes),
    ];
    return {
      page: number,
      constants: Buffer.concat(constants).toString('hex'),
      free: readTree(bytes.subarray(at + 24), number),
      main: readTree(bytes.subarray(at + 24 + treeBytes), number),
      lastPage: readWhole(bytes, at + 24 + 2 * treeBytes, number),
      transaction: readWhole(bytes, at + 32 + 2 * treeBytes, number),
    };
  }

  page(number: number): Page {
    const bytes = this.#pages(number, 1);
    return { ...readPageHead(bytes, 0, number), bytes };
  }

  /** The bytes of a value that has pages of its own. */
  big({ page, pages }: BigValue, size: number): Buffer {
    return this.#pages(page, pages).subarray(pageHeadBytes, pageHeadBytes + size);
  }

  /** Fills `target`, which is as long as some pages, with page `number` and those after it. */
  read(number: number, target: Buffer): void {
    const isThere = number + target.length / pageBytes <= this.length;
    if (
      isThere &&
      readSync(this.#file, target, 0, target.length, number * pageBytes) === target.length
    )
      return;
    throw new PageError(number, 'The file ends before it.');
  }

  #pages(number: number, pages: number): Buffer {
    const bytes = Buffer.allocUnsafe(pages * pageBytes);
    this.read(number, bytes);
    return bytes;
  }
}

/** The head of the page that begins at `at` of `bytes`. */
export function readPageHead(bytes: Buffer, at: number, number: number): Omit<Page, 'bytes'> {
  const kind = pageKinds[bytes.readUInt16LE(at + 18)];
  if (kind === undefined || readWhole(bytes, at, number) !== number) {
    throw new PageError(number, 'Its head is not that of this page.');
  }
  return { number, kind, transaction: readWhole(bytes, at + 8, number) };
}

/** The nodes of a branch or leaf, in their order. They fill the page's end without a gap. */
export function nodesOf({ bytes, number, kind }: Page): readonly Node[] {
  const count = bytes.readUInt16LE(20) / 2;
  const upper = bytes.readUInt16LE(22) + pageHeadBytes;
  const wrong = (): PageError => new PageError(number, 'Its nodes are not where it says.');
  if (count < 1 || pageHeadBytes + 2 * count > upper || upper > pageBytes) throw wrong();
  let used = 0;
  const nodes: Node[] = [];
  for (let nth = 0; nth < count; nth++) {
    const at = bytes.readUInt16LE(pageHeadBytes + 2 * nth) + pageHeadBytes;
    if (at < upper || at + nodeHeadBytes > pageBytes) throw wrong();
    const node = readNode(bytes, at, { number, kind });
    const size = nodeHeadBytes + node.key.length + node.value.length;
    used += size + (size % 2);
    nodes.push(node);
  }
  if (upper + used !== pageBytes) throw wrong();
  return nodes;
}

function readNode(bytes: Buffer, at: number, page: Pick<Page, 'number' | 'kind'>): Node {
  const low = bytes.readUInt32LE(at);
  const flags = bytes.readUInt16LE(at + 4);
  const keyEnd = at + nodeHeadBytes + bytes.readUInt16LE(at + 6);
  const key = bytes.subarray(at + nodeHeadBytes, keyEnd);
  if (page.kind === 'branch') {
    // The flags are the upper part of the number of the page.
    const child = flags * 2 ** 32 + low;
    if (keyEnd > pageBytes) throw new PageError(page.number, 'A key leaves its page.');
    return { key, child, value: Buffer.alloc(0), size: 0, kind: 'plain' };
  }
  const kind = nodeKinds[flags];
  const length = kind === 'big' ? bigBytes : low;
  if (kind === undefined || keyEnd + length > pageBytes) {
    throw new PageError(page.number, 'A row leaves its page.');
  }
  return { key, child: 0, value: bytes.subarray(keyEnd, keyEnd + length), size: low, kind };
}

/** Whether a node is that of the table so named: lmdb's binding ends names with a zero. */
export function isTable({ kind, key }: Node, name: string): boolean {
  return kind === 'table' && key.toString() === `${name}\0`;
}

/** What a node of kind `big` says. */
export function readBig({ value, size }: Node, page: number): BigValue {
  const first = readWhole(value, 0, page);
  const pages = readWhole(value, 16, page);
  if (pages !== Math.ceil((size + pageHeadBytes) / pageBytes)) {
    throw new PageError(page, 'A large row has more or fewer pages than it needs.');
  }
  return { page: first, pages };
}

/** How many pages the head of a large row's first page tells of. */
export function pagesOf({ bytes }: Page): number {
  return bytes.readUInt32LE(20);
}

export function readTree(bytes: Buffer, page: number): Tree {
  if (bytes.length < treeBytes) throw new PageError(page, 'A tree is cut.');
  const root = bytes.readBigUInt64LE(40);
  return {
    flags: bytes.readUInt16LE(4) * 2 ** 32 + bytes.readUInt32LE(0),
    depth: bytes.readUInt16LE(6),
    branches: readWhole(bytes, 8, page),
    leaves: readWhole(bytes, 16, page),
    overflows: readWhole(bytes, 24, page),
    entries: readWhole(bytes, 32, page),
    root: root === none ? undefined : readWhole(bytes, 40, page),
  };
}

/** A number of 64 bits that can be one of pages, rows or transactions. */
export function readWhole(bytes: Buffer, at: number, page: number): number {
  const high = bytes.readUInt32LE(at + 4);
  if (high >= 2 ** 20) throw new PageError(page, 'A number in it is impossible.');
  return high * 2 ** 32 + bytes.readUInt32LE(at);
}
