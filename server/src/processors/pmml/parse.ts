// Reads a PMML file into elements, as a stream: its text is never whole in memory. The parser knows
// the five entities of XML itself and none that a file defines, so that none can be expanded; depth
// and number of elements have limits.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { SaxesParser } from 'saxes';
import { ModelError } from '../processor.ts';
import { Element, localName } from './element.ts';

/** Trees of real models are some dozens deep, and each level of a tree is one level of elements. */
const depthMax = 2000;
/** About 1.5 GB of XML and as much memory; the largest forests in the wild have a few million. */
const elementsMax = 20_000_000;
/** Longer names and values stand for themselves; shorter ones that repeat are kept once. */
const sharedLengthMax = 40;
const sharedMax = 100_000;

/** The root element of the file; throws a ModelError with line and column for what isn't XML. */
export async function parseFile(path: string): Promise<Element> {
  const builder = new Builder();
  const decoder = new TextDecoder(await encodingOf(path), { fatal: true });
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 18 })) {
    builder.write(decoded(() => decoder.decode(bytes, { stream: true })));
  }
  builder.write(decoded(() => decoder.decode()));
  return builder.end();
}

/** The root element of a document that is at hand as text. */
export function parseText(text: string): Element {
  const builder = new Builder();
  builder.write(text);
  return builder.end();
}

class Builder {
  readonly #parser = new SaxesParser({ position: true });
  readonly #shared = new Map<string, string>();
  #root: Element | undefined;
  #open: Element | undefined;
  #attributes: string[] = [];
  #depth = 0;
  #count = 0;

  constructor() {
    this.#parser.on('error', (error) => {
      throw new ModelError(`the file is not well-formed XML: ${error.message}`);
    });
    this.#parser.on('attribute', ({ name, value }) => {
      this.#attributes.push(this.#share(attributeName(name)), this.#share(value));
    });
    this.#parser.on('opentag', ({ name }) => this.#begin(localName(name)));
    this.#parser.on('closetag', () => {
      this.#depth -= 1;
      this.#open = this.#open?.parent;
    });
    const text = (piece: string): void => {
      if (/\S/.test(piece)) this.#open?.addText(piece);
    };
    this.#parser.on('text', text);
    this.#parser.on('cdata', text);
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  end(): Element {
    this.#parser.close();
    if (this.#root === undefined) throw new ModelError('the file is not XML: it has no element');
    return this.#root;
  }

  #begin(name: string): void {
    this.#depth += 1;
    this.#count += 1;
    if (this.#depth > depthMax) {
      throw new ModelError(`elements stand more than ${depthMax} deep in each other`);
    }
    if (this.#count > elementsMax) {
      throw new ModelError(`the file has more than ${elementsMax} elements`);
    }
    this.#open = new Element(this.#share(name), this.#attributes, this.#open);
    this.#root ??= this.#open;
    this.#attributes = [];
  }

  // A slice of the text keeps its whole piece of the file in memory, and a forest names the same
  // fields and operators a million times. Numbers rarely repeat, and are soon read and forgotten.
  #share(text: string): string {
    if (text.length > sharedLengthMax || looksLikeNumber(text)) return text;
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    const own = Buffer.from(text).toString();
    if (this.#shared.size < sharedMax) this.#shared.set(own, own);
    return own;
  }
}

/** By its first character: a digit, a point or a minus. */
function looksLikeNumber(text: string): boolean {
  const first = text.charCodeAt(0);
  return first <= 57 && first >= 45;
}

/** Prefixes say nothing here: elements of other vocabularies are refused by their local name. */
function attributeName(name: string): string {
  return /^(xmlns|xml|xsi)(:|$)/.test(name) ? name : localName(name);
}

/** What the byte order mark or the XML declaration says; UTF-8 without either. */
async function encodingOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(200);
    await file.read(head, 0, head.length, 0);
    if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
    if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
    const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([\w.-]+)["']/.exec(
      head.toString('latin1'),
    );
    const encoding = declared?.[1] ?? 'utf-8';
    try {
      return new TextDecoder(encoding).encoding;
    } catch {
      throw new ModelError(`the encoding ${encoding} of the file is not known`);
    }
  } finally {
    await file.close();
  }
}

function decoded(decode: () => string): string {
  try {
    return decode();
  } catch {
    throw new ModelError('the file is not text in the encoding that it declares');
  }
}
