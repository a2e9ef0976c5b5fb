// What has a life: opened, used, closed.

export interface Component {
  /** Resolves when ready. A second call changes nothing. */
  start(): Promise<void>;
  /** Resolves when really stopped: no timer, socket, file or child is left. May come twice. */
  stop(): Promise<void>;
}
