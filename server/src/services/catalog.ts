// The services in memory, by name, and beside each what an edge asks for with every request.

import { closedQueues } from '../broker/closed-queues.ts';
import type { Queues } from '../broker/queues.ts';
import { defaultSettings } from '../queue/settings.ts';
import { type DirectoryEntry, directoryEntry, type Hosted, stoppedText } from './hosted.ts';

export class Catalog {
  readonly #openAllowed: boolean;
  readonly #services = new Map<string, Hosted>();
  readonly #directory = new Map<string, DirectoryEntry>();
  readonly #resting = new Map<string, Queues>();

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

  /** Stands in for the queues of a stopped service; undefined: it is not stopped. */
  resting(name: string): Queues | undefined {
    return this.#resting.get(name);
  }

  /** Sorted by name. */
  all(): readonly Hosted[] {
    return [...this.#services.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(hosted: Hosted): void {
    this.#services.set(hosted.name, hosted);
    this.#directory.set(hosted.name, directoryEntry(hosted, this.#openAllowed));
    const resting = restingQueues(hosted);
    if (resting === undefined) this.#resting.delete(hosted.name);
    else this.#resting.set(hosted.name, resting);
  }

  take(name: string): void {
    this.#services.delete(name);
    this.#directory.delete(name);
    this.#resting.delete(name);
  }
}

function restingQueues({ name: service, phase, definition, parsed }: Hosted): Queues | undefined {
  if (phase !== 'stopped') return undefined;
  const { resting = {} } = definition;
  const settings = parsed?.spec.queues ?? defaultSettings;
  return closedQueues({ service, reason: stoppedText(service), settings, resting });
}
