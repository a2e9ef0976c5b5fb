// Tells the registry what became of a launch, as instances see it, and asks it what an earlier one
// was. Instances are made before it is.

import type { EarlierLaunch, LaunchFailure, LaunchNews } from '../instances/options.ts';
import type { Registry } from '../services/registry.ts';

export interface LaunchDesk {
  readonly rolloutFailed: LaunchFailure;
  readonly proven: LaunchNews;
  readonly earlier: EarlierLaunch;
  /** From now on there is somebody to tell and to ask. */
  open(registry: LaunchBook): void;
}

type LaunchBook = Pick<Registry, 'rollBack' | 'proven' | 'launched'>;

export function launchDesk(): LaunchDesk {
  let registry: LaunchBook | undefined;
  // The registry logs what it can't do.
  return {
    rolloutFailed: (service, number, sourceRevision, reason) =>
      void registry?.rollBack(service, number, sourceRevision, reason),
    proven: (service, number, sourceRevision) =>
      void registry?.proven(service, number, sourceRevision),
    earlier: (service, number, sourceRevision) =>
      registry?.launched(service, number, sourceRevision),
    open: (opened) => {
      registry = opened;
    },
  };
}
