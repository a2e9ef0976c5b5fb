// A value of a row that the model says it cannot work with: the row has no result.

/** Thrown while a row is scored; whoever scores it says which row it was. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}
