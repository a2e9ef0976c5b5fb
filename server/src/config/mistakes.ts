// What is wrong with settings, told all at once. Apart from their loading, since every command
// knows how to show it.

/** All mistakes of all sources; `message` has one line for each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.mistakes = mistakes;
  }
}
