// A thread of its own that reads and checks rows of one kind and hands their heads over, so that
// whoever wants a million of them has nothing to do but to take them up.

import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { RowError } from '../codec.ts';
import { HeadPacker, memoryOf, type PackedHeads } from './heads.ts';
import type { RowKey } from './keys.ts';
import { rowsName, tableFiles } from './names.ts';
import { PageError } from './pages/page-file.ts';
import { RowPages } from './pages/row-pages.ts';

/** `begin`: the rows of the kind of `start`, from there on. `more`: the next of them. `leave`: no
 * more of them. `end`: the thread ends. */
export type ScanTask =
  | { readonly kind: 'begin'; readonly scan: number; readonly start: RowKey }
  | { readonly kind: 'more' | 'leave'; readonly scan: number }
  | { readonly kind: 'end' };

/** One for each `more`, until one is the last or a failure. */
export type ScanAnswer =
  | { readonly scan: number; readonly heads: PackedHeads; readonly isLast: boolean }
  | { readonly scan: number; readonly failure: string; readonly isDamage: boolean };

/** Rows of one answer: what is made of them is gone again soon. */
const answerRows = 512;

type Post = (answer: ScanAnswer, memory: ArrayBuffer[]) => void;

class Scanning {
  readonly #path: string;
  readonly #post: Post;
  readonly #scans = new Map<number, RowPages>();
  #bytes = 0;

  constructor(folder: string, post: Post) {
    this.#path = join(folder, tableFiles.data);
    this.#post = post;
  }

  run(task: Exclude<ScanTask, { readonly kind: 'end' }>): void {
    switch (task.kind) {
      case 'begin':
        this.#scans.set(task.scan, new RowPages(this.#path, rowsName, task.start));
        return;
      case 'more':
        this.#more(task.scan);
        return;
      case 'leave':
        this.#leave(task.scan);
        return;
    }
  }

  failed(scan: number, error: unknown): void {
    this.#leave(scan);
    const isDamage = error instanceof RowError || error instanceof PageError;
    const failure = isDamage
      ? error.message
      : error instanceof Error
        ? `${error.stack}`
        : `${error}`;
    this.#post({ scan, failure, isDamage }, []);
  }

  #more(scan: number): void {
    const pages = this.#scans.get(scan);
    if (pages === undefined) return;
    const packer = new HeadPacker(answerRows, this.#bytes);
    const isLast = !pages.next(answerRows, (reader, index, sub) => packer.add(reader, index, sub));
    if (isLast) this.#leave(scan);
    // Those that follow will be about as large.
    this.#bytes = Math.ceil(packer.bytes * 1.25);
    const heads = packer.packed();
    this.#post({ scan, heads, isLast }, memoryOf(heads));
  }

  #leave(scan: number): void {
    this.#scans.get(scan)?.close();
    this.#scans.delete(scan);
  }
}

const port = parentPort;
if (port !== null) {
  const scanning = new Scanning(workerData.folder, (answer, memory) => {
    port.postMessage(answer, memory);
  });
  port.on('message', (task: ScanTask) => {
    if (task.kind === 'end') {
      port.close();
      return;
    }
    try {
      scanning.run(task);
    } catch (error) {
      scanning.failed(task.scan, error);
    }
  });
}
