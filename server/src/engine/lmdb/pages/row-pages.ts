// Rows of one kind in their order, read from the pages of the file without lmdb. What follows each
// other in the table mostly does so in the file: many leaves are read with one call, where lmdb's
// map has them faulted in a few at a time, which takes longer than all the rest.

import { RowReader } from '../../codec.ts';
import {
  indexAt,
  keyBytes,
  keySeed,
  kindAt,
  makeKey,
  type RowKey,
  serviceAt,
  subAt,
} from '../keys.ts';
import { damagedRow, type Visit } from '../scan.ts';
import {
  type Head,
  isTable,
  nodeHeadBytes,
  nodesOf,
  type Page,
  PageError,
  PageFile,
  pageBytes,
  pageHeadBytes,
  readPageHead,
  readTree,
  readWhole,
  type Tree,
} from './page-file.ts';

/** A branch on the way to a leaf, and which of its places that way takes. */
interface Branch {
  readonly keys: readonly Uint8Array[];
  readonly children: readonly number[];
  nth: number;
}

/** Pages that are read with one call, and how many between them may be others. */
const windowPages = 128;
const gapMax = 4;
const bigFlag = 1;

/** The numbers are explained in page-file.ts. */
export class RowPages {
  readonly #file: PageFile;
  readonly #start: RowKey;
  readonly #depth: number;
  readonly #transaction: number;
  readonly #branches: Branch[] = [];
  readonly #reader = new RowReader();
  /** What was read last, from page `#first` on. */
  readonly #window = Buffer.allocUnsafeSlow(windowPages * pageBytes);
  #first = 0;
  #pages = 0;
  /** Where the leaf begins in the window, its number, how many rows it has and which is next. */
  #leaf = 0;
  #number = 0;
  #count = 0;
  #nth = 0;

  /**
   * The rows of the kind of `start`, from there on, in the file at `path`, as its newest
   * transaction has left them. Whoever makes this sees to it that the pages stay, by a read
   * transaction that is open until `close`. Throws a `PageError` for what can't be right.
   */
  constructor(path: string, table: string, start: RowKey) {
    this.#start = start;
    this.#file = new PageFile(path);
    try {
      const { main, transaction } = newestHead(this.#file);
      const tree = this.#tree(main, table);
      this.#transaction = transaction;
      this.#depth = tree.depth;
      if (tree.root !== undefined) this.#seek(tree.root);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#file.close();
  }

  /**
   * Has up to `limit` more rows visited, whose payloads can't be read; false: there are no more
   * rows. Throws a `RowError` or `PageError` for the first that is damaged.
   */
  next(limit: number, visit: Visit<void>): boolean {
    const { service, kind } = this.#start;
    const bytes = this.#window;
    for (let left = limit; left > 0; left -= 1) {
      while (this.#nth >= this.#count) if (!this.#nextLeaf()) return false;
      const at = this.#node(this.#nth);
      const key = at + nodeHeadBytes;
      if (serviceAt(bytes, key) !== service || kindAt(bytes, key) !== kind) return false;
      this.#nth += 1;
      const index = indexAt(bytes, key);
      const sub = subAt(bytes, key);
      try {
        this.#open(at, keySeed(service, kind, index, sub));
      } catch (error) {
        throw damagedRow(error, service, kind, index);
      }
      visit(this.#reader, index, sub);
    }
    return true;
  }

  #tree(main: Tree, table: string): Tree {
    if (main.root === undefined) return main;
    const page = this.#file.page(main.root);
    const node = nodesOf(page).find((each) => isTable(each, table));
    if (node !== undefined) return readTree(node.value, page.number);
    throw new PageError(page.number, 'It does not name the table of rows.');
  }

  /** Goes to the first row that is not below the start. */
  #seek(root: number): void {
    const start = makeKey(this.#start);
    let page = root;
    for (let level = 1; level < this.#depth; level += 1) {
      const branch = this.#branch(page);
      // The first key of a branch is not written: nothing is below it.
      const above = branch.keys.findIndex((key, nth) => nth > 0 && Buffer.compare(key, start) > 0);
      branch.nth = (above < 0 ? branch.keys.length : above) - 1;
      page = childOf(branch);
      this.#branches.push(branch);
    }
    this.#enter(page);
    while (this.#nth < this.#count) {
      const key = this.#node(this.#nth) + nodeHeadBytes;
      if (this.#window.compare(start, 0, keyBytes, key, key + keyBytes) >= 0) return;
      this.#nth += 1;
    }
  }

  #nextLeaf(): boolean {
    for (;;) {
      const branch = this.#branches.at(-1);
      if (branch === undefined) return false;
      branch.nth += 1;
      if (branch.nth < branch.children.length) break;
      this.#branches.pop();
    }
    while (this.#branches.length < this.#depth - 1) {
      this.#branches.push(this.#branch(childOf(this.#branches.at(-1))));
    }
    this.#enter(childOf(this.#branches.at(-1)));
    return true;
  }

  #branch(number: number): Branch {
    const page = this.#file.page(number);
    this.#mustBe(page, 'branch');
    const nodes = nodesOf(page);
    return { keys: nodes.map(({ key }) => key), children: nodes.map(({ child }) => child), nth: 0 };
  }

  #enter(number: number): void {
    const isRead = number >= this.#first && number < this.#first + this.#pages;
    if (!isRead) this.#readFrom(number);
    const at = (number - this.#first) * pageBytes;
    this.#mustBe(readPageHead(this.#window, at, number), 'leaf');
    const count = this.#window.readUInt16LE(at + 20) / 2;
    const isHere = Number.isInteger(count) && pageHeadBytes + 2 * count <= pageBytes;
    if (!isHere) throw new PageError(number, 'Its nodes are not where it says.');
    this.#leaf = at;
    this.#number = number;
    this.#count = count;
    this.#nth = 0;
  }

  #mustBe({ number, kind, transaction }: Omit<Page, 'bytes'>, wanted: Page['kind']): void {
    if (kind !== wanted) throw new PageError(number, `It should be a ${wanted}.`);
    if (transaction <= this.#transaction) return;
    throw new PageError(number, 'It is of a transaction that is still to come.');
  }

  /** Reads a leaf and those after it, as far as they lie near each other. */
  #readFrom(number: number): void {
    const { children, nth } = this.#branches.at(-1) ?? { children: [number], nth: 0 };
    let last = number;
    for (let next = nth + 1; next < children.length; next += 1) {
      const page = children[next] ?? 0;
      if (page <= last || page > last + gapMax || page >= number + windowPages) break;
      last = page;
    }
    this.#pages = 0;
    this.#file.read(number, this.#window.subarray(0, (last - number + 1) * pageBytes));
    this.#first = number;
    this.#pages = last - number + 1;
  }

  /** Where a node of the leaf begins; it and its key are inside the leaf. */
  #node(nth: number): number {
    const bytes = this.#window;
    const inside = bytes.readUInt16LE(this.#leaf + pageHeadBytes + 2 * nth) + pageHeadBytes;
    const at = this.#leaf + inside;
    if (inside + nodeHeadBytes + keyBytes > pageBytes || bytes.readUInt16LE(at + 6) !== keyBytes) {
      throw new PageError(this.#number, 'It holds something that is no row.');
    }
    return at;
  }

  #open(at: number, seed: number): void {
    const bytes = this.#window;
    const size = bytes.readUInt32LE(at);
    const flags = bytes.readUInt16LE(at + 4);
    const start = at + nodeHeadBytes + keyBytes;
    if (flags === bigFlag) {
      this.#reader.open(this.#big(readWhole(bytes, start, this.#number), size), seed, 0, size);
      return;
    }
    if (flags !== 0 || start + size > this.#leaf + pageBytes) {
      throw new PageError(this.#number, 'A row leaves its page.');
    }
    this.#reader.open(bytes, seed, start, start + size);
  }

  /** A row in pages of its own, as far as its head goes. */
  #big(number: number, size: number): Buffer {
    const first = this.#file.page(number);
    this.#mustBe(first, 'overflow');
    const begin = first.bytes.subarray(pageHeadBytes);
    const needed = RowReader.headEnd(begin);
    if (needed <= begin.length || needed > size) return begin;
    const pages = Math.ceil((pageHeadBytes + needed) / pageBytes);
    return this.#file.big({ page: number, pages }, needed);
  }
}

/** That of the newest transaction. One may be written while it is read, but not twice. */
function newestHead(file: PageFile): Head {
  for (;;) {
    const [one, other] = [file.head(0), file.head(1)];
    const newest = one.transaction > other.transaction ? one : other;
    if (file.head(newest.page).transaction === newest.transaction) return newest;
  }
}

function childOf(branch: Branch | undefined): number {
  return branch?.children[branch.nth] ?? 0;
}
