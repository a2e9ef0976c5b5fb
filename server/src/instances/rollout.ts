// How far the update of one service's instances has come, and whether it has failed: its judge. It
// is told of every new launch, of crashes, and looks at the copies whenever something has changed.
// A launch that was once ready has proved itself and cannot fail any more.

import type { DeployedService, Rollout } from '../deployment/service.ts';
import { type Copy, staying } from './copy.ts';
import { launchKey } from './wanted.ts';

/** What the judge looks at of one instance, besides. */
export interface JudgedCopy extends Copy {
  /** The time counts that it takes to become ready: it is neither pulled nor waited for. */
  readonly isTrying: boolean;
  /** Why it is not ready, as a sentence; may be empty. */
  readonly reason: string;
}

/** Something to tell others, once. */
export type RolloutNews =
  | { readonly kind: 'begun'; readonly text: string }
  | { readonly kind: 'proven' }
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Sighting {
  readonly news: readonly RolloutNews[];
  /** Look again after so long even if nothing changes; undefined: no need. */
  readonly againMs: number | undefined;
}

/** So many endings of a launch's instances, none of which was ever ready, are enough. */
const crashesMax = 3;

export class RolloutJudge {
  #wanted: DeployedService;
  #key: string;
  /** Another launch came before this one and is to be replaced by it. */
  #isUpdate = false;
  #isProven = false;
  #isDone = false;
  #hasBegun = false;
  #crashes = 0;
  /** Time in which its instances tried to become ready, until `#countedAt`. */
  #triedMs = 0;
  #countedAt: number | undefined;
  #failure: string | undefined;
  #isToldFailed = false;
  #text = '';

  constructor(wanted: DeployedService) {
    this.#wanted = wanted;
    this.#key = launchKey(wanted);
  }

  /** The wanted state, whenever it has changed. */
  follow(wanted: DeployedService): void {
    const key = launchKey(wanted);
    const isNew = key !== this.#key;
    this.#wanted = wanted;
    if (!isNew) return;
    this.#key = key;
    this.#isUpdate = true;
    this.#isProven = false;
    this.#isDone = false;
    this.#hasBegun = false;
    this.#crashes = 0;
    this.#triedMs = 0;
    this.#countedAt = undefined;
    this.#failure = undefined;
    this.#isToldFailed = false;
  }

  /** An instance ended by itself, or could not be started. */
  crashed(key: string, reason: string): void {
    if (key !== this.#key || this.#isProven) return;
    this.#crashes += 1;
    if (this.#crashes >= crashesMax) {
      const text = `its instances ended ${this.#crashes} times before one was ready`;
      this.#failure ??= `${text}: ${reason}`;
    }
  }

  /** Trying again cannot help. */
  impossible(key: string, reason: string): void {
    if (key === this.#key && !this.#isProven) this.#failure ??= reason;
  }

  look(copies: readonly JudgedCopy[], mono: number): Sighting {
    const { count, rolling } = this.#wanted.instances;
    const current = staying(copies).filter(({ key }) => key === this.#key);
    const old = staying(copies).length - current.length;
    const ready = current.filter(({ isReady }) => isReady).length;
    const news: RolloutNews[] = [];
    if (old > 0 && count > 0 && !this.#hasBegun) {
      const who = old === 1 ? 'one instance is' : `${old} instances are`;
      // Without a change that we have seen it is one that an earlier server has begun.
      const verb = this.#isUpdate ? 'begun' : 'goes on';
      news.push({ kind: 'begun', text: `${verb}: ${who} to be replaced` });
      this.#isUpdate = true;
      this.#hasBegun = true;
    }
    if (ready > 0 && !this.#isProven) {
      this.#isProven = true;
      this.#failure = undefined;
      this.#isToldFailed = false;
      news.push({ kind: 'proven' });
    }
    const remain = old === 1 ? 'one older one remains' : `${old} older ones remain`;
    this.#text = `${ready} of ${count} instances are new and ready, ${remain}`;
    const isDone = old === 0 && (ready >= count || count === 0);
    if (isDone && !this.#isDone && this.#hasBegun) {
      news.push({ kind: 'done', text: `${ready} of ${count} instances are new and ready` });
    }
    this.#isDone ||= isDone;
    const againMs = this.#count(current, rolling.readyTimeoutMs, mono);
    if (this.#failure !== undefined && !this.#isToldFailed) {
      this.#isToldFailed = true;
      news.push({ kind: 'failed', reason: this.#failure });
    }
    return { news, againMs };
  }

  rollout(): Rollout {
    if (this.#failure !== undefined) {
      const { sourceRevision } = this.#wanted;
      return { state: 'failed', sourceRevision, reason: this.#failure };
    }
    if (!this.#isUpdate || this.#isDone) return { state: 'done' };
    return { state: 'rolling', text: this.#text };
  }

  /** Adds the time since the last look; answers how much is left while it runs. */
  #count(current: readonly JudgedCopy[], timeoutMs: number, mono: number): number | undefined {
    if (this.#countedAt !== undefined) this.#triedMs += Math.max(0, mono - this.#countedAt);
    const trying = current.filter(({ isTrying, isReady }) => isTrying && !isReady);
    const counts = trying.length > 0 && !this.#isProven && this.#failure === undefined;
    this.#countedAt = counts ? mono : undefined;
    if (!counts) return undefined;
    if (this.#triedMs < timeoutMs) return timeoutMs - this.#triedMs;
    const why = trying.find(({ reason }) => reason !== '')?.reason ?? '';
    const text = `none of its instances was ready within ${timeoutMs / 1000} s`;
    this.#failure = why === '' ? text : `${text}: ${why}`;
    return undefined;
  }
}
