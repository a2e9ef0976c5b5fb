// Which groups of the input queue keep a message (rule 7). With a working group only that one
// counts; without one a message leaves when every living group has committed it.

import type { Entry } from './ledger.ts';
import { serviceName } from './service.ts';

export class Groups {
  /** The service declares instances: its working group is in use from the start. */
  readonly isWorked: boolean;
  /** Groups that may exist, and groups that certainly do. */
  readonly #asked = new Set<string>();
  readonly #sure = new Set<string>();
  readonly #commitsAsked = new Map<Entry, Set<string>>();
  readonly #commitsDone = new Map<Entry, Set<string>>();

  constructor(isWorked: boolean) {
    this.isWorked = isWorked;
  }

  /** Whether deliveries to this group count, and its commits take messages away. */
  counts(gid: string): boolean {
    return !this.isWorked || gid === serviceName;
  }

  attachAsked(gid: string): void {
    this.#asked.add(gid);
  }

  attached(gid: string): void {
    this.#sure.add(gid);
  }

  /** A member is about to commit; answers whether the message may leave with that. */
  commitAsked(entry: Entry, gid: string): boolean {
    if (this.isWorked) return gid === serviceName;
    const done = noted(this.#commitsAsked, entry, gid);
    return [...this.#sure].every((one) => done.has(one));
  }

  /** It was answered; answers whether the message certainly has left. */
  commitDone(entry: Entry, gid: string): boolean {
    if (this.isWorked) return gid === serviceName;
    const done = noted(this.#commitsDone, entry, gid);
    return [...this.#asked].every((one) => done.has(one));
  }

  /** Whether a commit of this group was answered, so that it may not see the message again. */
  isDoneFor(entry: Entry, gid: string): boolean {
    return this.#commitsDone.get(entry)?.has(gid) ?? false;
  }
}

function noted(all: Map<Entry, Set<string>>, entry: Entry, gid: string): Set<string> {
  const gids = all.get(entry) ?? new Set();
  all.set(entry, gids.add(gid));
  return gids;
}
