// The hashes of all tags of a queue's messages in one growable array: a list is its length and
// then 8 bytes a tag. Lists of removed messages leave gaps until the next compaction.

import type { Hash } from './hash.ts';

const smallestWords = 256;

export interface Compaction {
  /** Copies a list that is still in use; answers its new place. */
  keep(place: number): number;
  finish(): void;
}

export class TagArena {
  // Word 0 is never used: place 0 stands for the empty list.
  #words = new Uint32Array(smallestWords);
  #end = 1;
  #gaps = 0;

  /** Whether more than half of a sizeable arena is gaps. */
  get wasteful(): boolean {
    return this.#gaps > 4096 && this.#gaps * 2 > this.#end;
  }

  /** Answers the place of the new list; 0 for an empty one. */
  add(hashes: readonly Hash[]): number {
    if (hashes.length === 0) return 0;
    const place = this.#end;
    const end = place + 1 + 2 * hashes.length;
    this.#reserve(end);
    this.#words[place] = hashes.length;
    let at = place + 1;
    for (const hash of hashes) {
      this.#words[at] = hash.low;
      this.#words[at + 1] = hash.high;
      at += 2;
    }
    this.#end = end;
    return place;
  }

  remove(place: number): void {
    if (place !== 0) this.#gaps += 1 + 2 * (this.#words[place] ?? 0);
  }

  has(place: number, hash: Hash): boolean {
    const length = place === 0 ? 0 : (this.#words[place] ?? 0);
    for (let at = place + 1; at < place + 1 + 2 * length; at += 2) {
      if (this.#words[at] === hash.low && this.#words[at + 1] === hash.high) return true;
    }
    return false;
  }

  list(place: number): Hash[] {
    const length = place === 0 ? 0 : (this.#words[place] ?? 0);
    const hashes: Hash[] = [];
    for (let at = place + 1; at < place + 1 + 2 * length; at += 2) {
      hashes.push({ low: this.#words[at] ?? 0, high: this.#words[at + 1] ?? 0 });
    }
    return hashes;
  }

  compaction(): Compaction {
    const fresh = new TagArena();
    return {
      keep: (place) => fresh.add(this.list(place)),
      finish: () => {
        this.#words = fresh.#words;
        this.#end = fresh.#end;
        this.#gaps = 0;
      },
    };
  }

  #reserve(words: number): void {
    if (words <= this.#words.length) return;
    const larger = new Uint32Array(Math.max(words, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}
