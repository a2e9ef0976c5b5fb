// Checks how lmdb's file hangs together before lmdb is trusted with it. A flipped bit in the head
// of a page or in a tree may crash native code, bring back a state of long ago in silence, or have
// a page in use written over. What rows contain is not looked at here: they have checksums.
//
// From the newest head of the file hang two trees: the pages that are free, and the names of
// tables, of which there is one, whose tree holds the rows. Every page of a tree is in it once, in
// order, and not among the free ones.

import {
  type Head,
  isTable,
  type Node,
  nodesOf,
  type Page,
  PageError,
  PageFile,
  pagesOf,
  readBig,
  readTree,
  type Tree,
} from './page-file.ts';

/** What is wrong with a page. */
export interface PageDamage {
  readonly page: number;
  readonly what: string;
}

export interface PageOptions {
  /** The name of its one table. */
  readonly table: string;
  /** Of a file with more pages only heads and roots are looked at. */
  readonly pagesMax?: number;
}

const damagesMax = 100;
const unwrittenMax = 65_536;

/** All that is wrong, at most a hundred. Throws what the system throws. */
export function checkPages(path: string, options: PageOptions): readonly PageDamage[] {
  const file = new PageFile(path);
  try {
    const checker = new PageChecker(file, options);
    checker.run();
    return checker.damages;
  } finally {
    file.close();
  }
}

interface TreeUse {
  readonly name: string;
  compare(one: Buffer, other: Buffer): number;
  /** `value` is the whole of it, also where it has pages of its own. */
  take(node: Node, page: number): void;
}

class PageChecker {
  readonly damages: PageDamage[] = [];
  readonly #file: PageFile;
  readonly #options: PageOptions;
  /** By page, whether a tree has it. */
  #used = new Uint8Array(0);
  #transaction = 0;

  constructor(file: PageFile, options: PageOptions) {
    this.#file = file;
    this.#options = options;
  }

  run(): void {
    this.#try(() => {
      const head = this.#newest();
      this.#transaction = head.transaction;
      // Free pages at the end need not have been written, but these are not many.
      if (head.lastPage >= this.#file.length + unwrittenMax) {
        throw new PageError(head.page, `The file ends long before page ${head.lastPage}.`);
      }
      this.#root(head.main);
      if (this.damages.length > 0) return;
      if (this.#file.length > (this.#options.pagesMax ?? Number.POSITIVE_INFINITY)) return;
      this.#used = new Uint8Array(head.lastPage + 1);
      const take = (node: Node, page: number): void => this.#table(node, page);
      this.#walk(head.main, { name: 'tables', compare: Buffer.compare, take });
      this.#freePages(head.free);
    });
  }

  /** Heads are of transactions that follow each other; a page has the odd ones, the other the even
   * ones. In a file that was just made or copied one is of transaction 0. */
  #newest(): Head {
    const [one, other] = [this.#file.head(0), this.#file.head(1)];
    if (one.constants !== other.constants) throw new PageError(1, 'The heads of the file differ.');
    const [newest, oldest] = one.transaction > other.transaction ? [one, other] : [other, one];
    const follows = newest.transaction === oldest.transaction + 1 || oldest.transaction === 0;
    const isInPlace = newest.transaction === 0 || newest.transaction % 2 === newest.page;
    if (newest.lastPage < oldest.lastPage) {
      throw new PageError(newest.page, 'It knows of fewer pages than the head before it.');
    }
    if (follows && isInPlace) return newest;
    const both = `${one.transaction} and ${other.transaction}`;
    throw new PageError(newest.page, `The heads of the file are of transactions ${both}.`);
  }

  /** Every transaction writes the root of the tables anew and leaves its number there, which tells
   * that the head does not lead to a root of long ago. A copy has 1 everywhere. */
  #root({ root }: Tree): void {
    if (root === undefined) return;
    const { transaction } = this.#file.page(root);
    if (transaction === this.#transaction || transaction === 1) return;
    const what = `It is of transaction ${transaction}, the head of ${this.#transaction}.`;
    throw new PageError(root, what);
  }

  #table(node: Node, page: number): void {
    const tree = readTree(node.value, page);
    if (!isTable(node, this.#options.table) || tree.flags !== 0) {
      throw new PageError(page, 'It names a table that is not one of ours.');
    }
    this.#walk(tree, { name: 'rows', compare: Buffer.compare, take: mustBeRow });
  }

  #freePages(tree: Tree): void {
    const free = new Uint8Array(this.#used.length);
    const compare = (one: Buffer, other: Buffer): number => number(one) - number(other);
    const take = (node: Node, page: number): void => {
      for (const each of freeRuns(node, page)) {
        for (let at = each.first; at < each.first + each.count; at++) {
          if (at < 2 || at >= free.length || this.#used[at] === 1 || free[at] === 1) {
            throw new PageError(at, 'It is in use and free at the same time, or free twice.');
          }
          free[at] = 1;
        }
      }
    };
    // Its own pages must not be free either, so they are marked before the first list is taken.
    const lists: (() => void)[] = [];
    this.#walk(tree, {
      name: 'free pages',
      compare,
      take: (node, page) => void lists.push(() => take(node, page)),
    });
    for (const list of lists) this.#try(list);
    for (let at = this.#file.length; at < free.length; at++) {
      if (free[at] !== 1) throw new PageError(at, 'The file ends before it.');
    }
  }

  #walk(tree: Tree, use: TreeUse): void {
    const walk = new TreeWalk(tree, use, {
      page: (at) => this.#page(at),
      big: (node, at) => this.#big(node, at),
      attempt: (step) => this.#try(step),
    });
    walk.run();
  }

  /** A page of a tree: no other place leads to it. */
  #page(at: number): Page {
    this.#take(at);
    const page = this.#file.page(at);
    if (page.transaction > this.#transaction) {
      throw new PageError(at, 'It is of a transaction that is still to come.');
    }
    return page;
  }

  /** A node whose value lies in pages of its own, with that value; and how many they are. */
  #big(node: Node, at: number): { readonly node: Node; readonly pages: number } {
    const big = readBig(node, at);
    const first = this.#page(big.page);
    if (first.kind !== 'overflow' || pagesOf(first) !== big.pages) {
      throw new PageError(big.page, 'It is not the first page of a large row.');
    }
    for (let more = 1; more < big.pages; more++) this.#take(big.page + more);
    return { node: { ...node, value: this.#file.big(big, node.size) }, pages: big.pages };
  }

  #take(at: number): void {
    if (at < 2 || at >= this.#used.length) {
      throw new PageError(at, 'The file does not know of it, but a tree leads to it.');
    }
    if (this.#used[at] === 1) throw new PageError(at, 'Two places lead to it.');
    this.#used[at] = 1;
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      if (this.damages.length < damagesMax) {
        this.damages.push({ page: error.page, what: error.message });
      }
    }
  }
}

interface WalkHost {
  page(at: number): Page;
  big(node: Node, at: number): { readonly node: Node; readonly pages: number };
  /** Goes on after a damage. */
  attempt(step: () => void): void;
}

/** One tree from its root to its leaves, in the order of its keys. */
class TreeWalk {
  readonly #tree: Tree;
  readonly #use: TreeUse;
  readonly #host: WalkHost;
  readonly #counts = { branches: 0, leaves: 0, overflows: 0, entries: 0 };
  /** The key before, and what the branch above says is the least of those to come. */
  #last: Buffer | undefined;
  #least: Buffer | undefined;
  #isWhole = true;

  constructor(tree: Tree, use: TreeUse, host: WalkHost) {
    this.#tree = tree;
    this.#use = use;
    this.#host = host;
  }

  run(): void {
    const { root, branches, leaves, overflows, entries } = this.#tree;
    if (root !== undefined) this.#visit(root, 1);
    const found = this.#counts;
    const isSame =
      found.branches === branches &&
      found.leaves === leaves &&
      found.overflows === overflows &&
      found.entries === entries;
    if (isSame || !this.#isWhole) return;
    const what = `The tree of ${this.#use.name} holds more or less than it says.`;
    throw new PageError(root ?? 0, what);
  }

  #visit(at: number, depth: number): void {
    let isDone = false;
    this.#host.attempt(() => {
      const page = this.#host.page(at);
      const kind = depth < this.#tree.depth ? 'branch' : 'leaf';
      if (page.kind !== kind) throw new PageError(at, `It should be a ${kind}.`);
      const nodes = nodesOf(page);
      if (kind === 'branch') this.#branch(nodes, at, depth);
      else for (const node of nodes) this.#leaf(node, at);
      this.#counts[kind === 'branch' ? 'branches' : 'leaves']++;
      isDone = true;
    });
    if (!isDone) this.#isWhole = false;
  }

  #branch(nodes: readonly Node[], at: number, depth: number): void {
    for (const [nth, { key, child }] of nodes.entries()) {
      // The first key of a branch is not written: nothing is below it.
      if (nth > 0) {
        this.#mustFollow(key, at);
        this.#least = key;
      }
      this.#visit(child, depth + 1);
    }
  }

  #leaf(node: Node, at: number): void {
    this.#mustFollow(node.key, at);
    const isBelow = this.#least !== undefined && this.#use.compare(node.key, this.#least) < 0;
    if (isBelow) throw new PageError(at, 'A branch leads to it with a wrong key.');
    this.#least = undefined;
    this.#last = node.key;
    this.#counts.entries++;
    if (node.kind !== 'big') {
      this.#use.take(node, at);
      return;
    }
    const big = this.#host.big(node, at);
    this.#counts.overflows += big.pages;
    this.#use.take(big.node, at);
  }

  #mustFollow(key: Buffer, at: number): void {
    if (this.#last === undefined || this.#use.compare(key, this.#last) > 0) return;
    throw new PageError(at, 'The keys of its rows are out of order.');
  }
}

const rowKeyBytes = 16;

function mustBeRow(node: Node, page: number): void {
  const isRow = node.kind !== 'table' && node.key.length === rowKeyBytes;
  if (!isRow) throw new PageError(page, 'It holds something that is no row.');
}

/** A list of free pages: how many numbers follow, then pages, or minus a count and the first of a
 * run; 0 is an empty place. */
function* freeRuns(
  { kind, value }: Node,
  page: number,
): Iterable<{ readonly first: number; readonly count: number }> {
  if (kind === 'table') throw new PageError(page, 'A list of free pages is named like a table.');
  const wrong = new PageError(page, 'A list of free pages is cut.');
  if (value.length < 8) throw wrong;
  const end = 8 * (Number(value.readBigInt64LE(0)) + 1);
  if (!(end <= value.length)) throw wrong;
  for (let at = 8; at < end; at += 8) {
    const entry = pageAt(value, at, page);
    if (entry > 0) yield { first: entry, count: 1 };
    if (entry >= 0) continue;
    at += 8;
    if (at >= end) throw wrong;
    yield { first: pageAt(value, at, page), count: -entry };
  }
}

/** Beyond this, adding one would change nothing. */
function pageAt(value: Buffer, at: number, page: number): number {
  const entry = value.readBigInt64LE(at);
  if (entry < pageEnd && entry > -pageEnd) return Number(entry);
  throw new PageError(page, `A list of free pages names page ${entry}.`);
}

const pageEnd = 2n ** 48n;

function number(key: Buffer): number {
  return key.length === 8 ? Number(key.readBigUInt64LE(0)) : Number.NaN;
}
