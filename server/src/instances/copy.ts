// What decisions look at of one instance.

export interface Copy {
  readonly name: string;
  /** Which launch it is a copy of. */
  readonly key: string;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly isReady: boolean;
  /** It is gone on with after a restart of the server: whether it is ready will be seen soon. */
  readonly isUnchecked?: boolean;
  readonly isLeaving: boolean;
  /** Requests its model has. */
  readonly held: number;
}

/** Those that have not been told to go. */
export function staying<One extends Copy>(copies: readonly One[]): readonly One[] {
  return copies.filter(({ isLeaving }) => !isLeaving);
}

/** Those to part with first: not ready before ready, idle before busy, young before old. */
export function byWorth<One extends Copy>(copies: readonly One[]): readonly One[] {
  return [...copies]
    .reverse()
    .sort((one, other) => Number(one.isReady) - Number(other.isReady) || one.held - other.held);
}

export const nameOf = ({ name }: Copy): string => name;
