// One service as whoever runs instances gets it, and what it says back.

import type { InstanceSettings } from './instances.ts';

/** The wanted state of one service, whole, every time. */
export interface DeployedService {
  /** Never used again for another service, not even of the same name. */
  readonly number: number;
  readonly name: string;
  /** Rises with every change of the declaration, from 1. */
  readonly revision: number;
  /** Names the launch: instances of another one are replaced; everything but the source can be
   * changed while they work. After a switch back it is that of the earlier launch. */
  readonly sourceRevision: number;
  readonly instances: InstanceSettings;
}

/** How far an update of the instances has come. */
export type Rollout =
  | { readonly state: 'done' }
  | { readonly state: 'rolling'; readonly text: string }
  /** No instance of the newest launch became ready; old ones go on. `reason` says why. */
  | { readonly state: 'failed'; readonly sourceRevision: number; readonly reason: string };

/** What runs of a service, as reported by whoever runs it. */
export interface RuntimeReport {
  /** The revision these figures are about. */
  readonly revision: number;
  readonly wanted: number;
  /** Ready for work, or busy with it, at `revision`. */
  readonly running: number;
  /** Being started, or waiting for something. */
  readonly pending: number;
  /** Of these, waiting for something that is missing: room, an engine, an image. */
  readonly waiting: number;
  /** Ended by themselves and waiting to be started anew. */
  readonly failed: number;
  /** Finishing their work before they end, of whatever revision. */
  readonly leaving: number;
  readonly rollout: Rollout;
  /** Why not all run, or what one should know; empty when all is well. */
  readonly message: string;
}
