// Who is to be told of the next message of an input queue, because there is nobody to work on it.
// It costs the way of a message nothing to speak of: one comparison, false for every service that
// has instances, and true once for the others.

/** One wish at a time. */
export class NextInput {
  #fire: (() => void) | undefined;

  /** Takes the place of the wish before; the answer takes it back. */
  when(fire: () => void): () => void {
    this.#fire = fire;
    return () => {
      if (this.#fire === fire) this.#fire = undefined;
    };
  }

  /** A message came. */
  came(): void {
    if (this.#fire === undefined) return;
    const fire = this.#fire;
    this.#fire = undefined;
    fire();
  }
}
