// One element of a PMML file, with typed reading. An element remembers what was read of it: what
// nobody read when the model is compiled is something that this evaluator does not know, and the
// file is refused by its name and place, so that no part of a model is ever passed over in
// silence. Extensions are the exception, as the standard has it.

import { ModelError } from '../processor.ts';

const extension = 'Extension';

const none: Element[] = [];

/** An element, read by name. Every method that fails throws a ModelError that names the place. */
export class Element {
  readonly name: string;
  readonly parent: Element | undefined;
  /** Names and values in turn: a large file has a million of these, and two or three each. */
  readonly #attributes: readonly string[];
  /** Most elements have none, and share the same empty list. */
  #children: Element[] = none;
  #text = '';
  /** A bit for each attribute that was read. */
  #attributesRead = 0;
  #isRead = false;
  #isTextRead = false;

  constructor(name: string, attributes: readonly string[], parent: Element | undefined) {
    this.name = name;
    this.#attributes = attributes;
    this.parent = parent;
    if (parent === undefined) return;
    if (parent.#children === none) parent.#children = [this];
    else parent.#children.push(this);
  }

  /** For the parser: adds a piece of text that is not only white space. */
  addText(text: string): void {
    this.#text += text;
  }

  /** The value of an attribute; undefined if it isn't there. */
  optional(attribute: string): string | undefined {
    const all = this.#attributes;
    for (let at = 0; at < all.length; at += 2) {
      if (all[at] !== attribute) continue;
      this.#attributesRead |= 1 << (at >> 1);
      return all[at + 1];
    }
    return undefined;
  }

  /** The value of an attribute that must be there. */
  required(attribute: string): string {
    return this.optional(attribute) ?? this.refuse(`the attribute ${attribute} is missing`);
  }

  /** The number in an attribute; undefined if it isn't there. */
  optionalNumber(attribute: string): number | undefined {
    const text = this.optional(attribute);
    return text === undefined ? undefined : this.#number(attribute, text);
  }

  /** The number in an attribute that must be there. */
  requiredNumber(attribute: string): number {
    return this.#number(attribute, this.required(attribute));
  }

  /** Whether an attribute says true (or 1); `otherwise` if it isn't there. */
  flag(attribute: string, otherwise: boolean): boolean {
    const text = this.optional(attribute);
    if (text === undefined) return otherwise;
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    return this.refuse(`${attribute}="${text}" is neither true nor false`);
  }

  /**
   * An attribute with a closed set of values: what isn't among `known` is refused. Without
   * `otherwise` the attribute must be there.
   */
  choice<Known extends string>(
    attribute: string,
    known: readonly Known[],
    otherwise?: Known,
  ): Known {
    const text = this.optional(attribute);
    if (text === undefined && otherwise !== undefined) return otherwise;
    const value = text ?? this.required(attribute);
    const found = known.find((each) => each === value);
    return found ?? this.refuse(`${attribute}="${value}" is not supported`);
  }

  /** All children with one of these names, in the order of the file. */
  all(...names: readonly string[]): readonly Element[] {
    const found = this.#children.filter((child) => names.includes(child.name));
    for (const child of found) child.#isRead = true;
    return found;
  }

  /** Every child but Extensions: for elements whose children a table of names interprets. */
  everyChild(): readonly Element[] {
    const found = this.#children.filter((child) => child.name !== extension);
    for (const child of found) child.#isRead = true;
    return found;
  }

  /** The only child with one of these names; undefined if there is none. */
  optionalChild(...names: readonly string[]): Element | undefined {
    const [first, second] = this.all(...names);
    if (second !== undefined) this.refuse(`there is more than one ${names.join(' or ')}`);
    return first;
  }

  /** The only child with one of these names. */
  child(...names: readonly string[]): Element {
    return this.optionalChild(...names) ?? this.refuse(`${names.join(' or ')} is missing`);
  }

  /** The text inside, without white space at its ends. */
  content(): string {
    this.#isTextRead = true;
    return this.#text.trim();
  }

  /** Passes over attributes that change nothing of what the model computes. */
  ignore(...attributes: readonly string[]): void {
    for (const attribute of attributes) this.optional(attribute);
  }

  /** Passes over children, with all in them, that change nothing of what the model computes. */
  ignoreChildren(...names: readonly string[]): void {
    for (const child of this.all(...names)) child.ignoreWhole();
  }

  /** Passes over this element with all in it: it turned out not to be used. */
  ignoreWhole(): void {
    this.#isRead = true;
    this.#isTextRead = true;
    this.#attributesRead = -1;
    for (const child of this.#children) child.ignoreWhole();
  }

  /** Throws: the model says something here that this evaluator cannot do, or that is wrong. */
  refuse(why: string): never {
    throw new ModelError(`${this.path()}: ${why}`);
  }

  /** Where this stands in the file, such as `PMML/MiningModel/Segmentation/Segment[3]`. */
  path(): string {
    if (this.parent === undefined) return this.name;
    const alike = this.parent.#children.filter(({ name }) => name === this.name);
    const at = alike.length > 1 ? `[${alike.indexOf(this) + 1}]` : '';
    return `${this.parent.path()}/${this.name}${at}`;
  }

  /** Refuses the first thing in here that nobody has read; called once everything is compiled. */
  refuseUnread(): void {
    for (let at = 0; at < this.#attributes.length; at += 2) {
      const name = this.#attributes[at] ?? '';
      if ((this.#attributesRead & (1 << (at >> 1))) !== 0 || isNamespace(name)) continue;
      this.refuse(`the attribute ${name}="${this.#attributes[at + 1]}" is not supported`);
    }
    if (this.#text !== '' && !this.#isTextRead) this.refuse('text is not expected here');
    for (const child of this.#children) {
      if (child.name === extension) continue;
      if (!child.#isRead) this.refuse(`the element ${child.name} is not supported here`);
      child.refuseUnread();
    }
  }

  #number(attribute: string, text: string): number {
    return parseNumber(text) ?? this.refuse(`${attribute}="${text}" is not a number`);
  }
}

/** A name without its prefix: rows of tables call their columns data:input as attributes do. */
export function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** The number that a text of a PMML file stands for, INF and NaN among them. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  // Number() takes nothing for zero, and knows 0x1f, which no writer of PMML means.
  if (trimmed === '' || /^0[xbo]/i.test(trimmed)) return undefined;
  const number = Number(trimmed);
  return Number.isNaN(number) ? special.get(trimmed.toLowerCase()) : number;
}

const special: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
]);

function isNamespace(attribute: string): boolean {
  return /^(xmlns|xmlns:.*|xsi:.*|xml:.*)$/.test(attribute);
}
