// A value that must not be seen in logs, errors or printed settings. It shows itself as `***`
// however it is turned into text, and inspection sees no private field; only `reveal` gives it out.

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }
}
