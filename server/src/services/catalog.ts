// The services in memory, by name, and beside each what an edge asks for with every request.

import { type DirectoryEntry, directoryEntry, type Hosted } from './hosted.ts';

export class Catalog {
  readonly #openAllowed: boolean;
  readonly #services = new Map<string, Hosted>();
  readonly #directory = new Map<string, DirectoryEntry>();

  constructor(openAllowed: boolean) {
    this.#openAllowed = openAllowed;
  }

  get size(): number {
    return this.#services.size;
  }

  get(name: string): Hosted | undefined {
    return this.#services.get(name);
  }

  find(name: string): DirectoryEntry | undefined {
    return this.#directory.get(name);
  }

  /** Sorted by name. */
  all(): readonly Hosted[] {
    return [...this.#services.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(hosted: Hosted): void {
    this.#services.set(hosted.name, hosted);
    this.#directory.set(hosted.name, directoryEntry(hosted, this.#openAllowed));
  }

  take(name: string): void {
    this.#services.delete(name);
    this.#directory.delete(name);
  }
}
