// What starting a processor needs of whoever fetches models: a local path that stays while it is
// held. Where models lie and how they come here is not known here.

import type { FetchRules } from '../kernel/object-store.ts';

export interface ModelAddress {
  /** As it was declared: a path, or an address of http(s), s3, oss. */
  readonly address: string;
  /** `sha256:HEX`; undefined: none was declared. */
  readonly checksum: string | undefined;
  /** From where the service may fetch. */
  readonly rules: FetchRules;
}

export interface HeldModel {
  /** Absolute; of an archive the folder it was unpacked to. */
  readonly path: string;
  /** It may go. Later calls change nothing. */
  release(): void;
}

export interface HoldOptions {
  /** Aborted: it is not wanted any more; `hold` then rejects soon. */
  readonly signal: AbortSignal;
  /** Told as often as something changes: "120 of 410 MB". */
  readonly progress: (text: string) => void;
}

export interface ModelStore {
  /** Resolves with a local path. Rejects with an error that says why in one sentence; its property
   * `isFinal` is true where trying again cannot help. */
  hold(source: ModelAddress, options: HoldOptions): Promise<HeldModel>;
  /** Holds once more what an earlier server held at this path for an instance that still runs.
   * undefined: nothing has to be held for it, or it is gone. */
  holdAgain(path: string): HeldModel | undefined;
}
