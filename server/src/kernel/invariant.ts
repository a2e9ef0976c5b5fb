// Assertions that stay on in production. A failed one is a bug of ours: never caught to go on.

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws when `fact` does not hold; `message` states the fact that should have held. */
export function invariant(fact: unknown, message: string): asserts fact {
  if (!fact) throw new InvariantError(message);
}
