// Tells the registry what became of a launch, as instances see it. They are made before it is.

import type { LaunchFailure, LaunchNews } from '../instances/options.ts';
import type { Registry } from '../services/registry.ts';

export interface LaunchDesk {
  readonly rolloutFailed: LaunchFailure;
  readonly proven: LaunchNews;
  /** From now on there is somebody to tell. */
  open(registry: Pick<Registry, 'rollBack' | 'proven'>): void;
}

export function launchDesk(): LaunchDesk {
  let registry: Pick<Registry, 'rollBack' | 'proven'> | undefined;
  // The registry logs what it can't do.
  return {
    rolloutFailed: (service, number, sourceRevision, reason) =>
      void registry?.rollBack(service, number, sourceRevision, reason),
    proven: (service, number, sourceRevision) =>
      void registry?.proven(service, number, sourceRevision),
    open: (opened) => {
      registry = opened;
    },
  };
}
