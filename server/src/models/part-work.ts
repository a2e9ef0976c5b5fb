// One model being made in the folder of its part: the room it takes, the file that is fetched, and
// what becomes of both: a model of the library, a part for another try, or nothing.

import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntryFacts } from './facts.ts';
import { contentFolder, type Entry, type Library } from './library.ts';
import { Part } from './part.ts';
import type { Ticket } from './room.ts';

export class PartWork {
  readonly folder: string;
  readonly ticket: Ticket;
  readonly #library: Library;
  readonly #key: string;
  #part: Part | undefined;
  #isOver = false;

  constructor(library: Library, key: string) {
    this.#library = library;
    this.#key = key;
    this.folder = library.takePart(key);
    this.ticket = library.room.open();
  }

  /** The file to be fetched into, with what an earlier try has left. */
  async open(signal: AbortSignal): Promise<Part> {
    this.#part = await Part.open(this.folder, signal);
    await this.ticket.cover(this.#part.bytes);
    this.ticket.wrote(this.#part.bytes);
    return this.#part;
  }

  /** Nothing has to be fetched. */
  async begin(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
  }

  /** Something else than what lies here already was answered. */
  get isBegun(): boolean {
    return this.#part?.isBegun === true;
  }

  /** Where the content is to be put, under its name. */
  async contentPath(name: string): Promise<string> {
    const content = join(this.folder, contentFolder);
    await mkdir(content, { mode: 0o700 });
    return join(content, name);
  }

  /** The fetched file itself is the content. */
  async moveIn(part: Part, name: string): Promise<void> {
    await rename(part.path, await this.contentPath(name));
  }

  /** It is a model of the library when this resolves. */
  async finish(id: string, facts: EntryFacts): Promise<Entry> {
    await this.#end();
    return this.#library.add(this.#key, id, facts);
  }

  /** Nothing of it is of use. */
  async drop(): Promise<void> {
    if (this.#isOver) return;
    await this.#end();
    await this.#library.dropPart(this.#key);
  }

  /** What was fetched stays for another try, if neither of the other two was called. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    // Should that fail, what was flushed before is of use all the same.
    await this.#part?.flush().catch(() => undefined);
    await this.#end();
    await this.#library.leavePart(this.#key);
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    this.ticket.close();
    await this.#part?.close();
  }
}
