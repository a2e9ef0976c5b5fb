// The engine's form of a container's output, message by message, and how far in it we are: so that
// reading can go on later without a line lost or doubled. Pure.

/** Where reading goes on: behind `same` messages of the instant `at`. */
export interface Position {
  /** The engine's own text of a moment, down to nanoseconds; empty: the beginning. */
  readonly at: string;
  readonly same: number;
}

export const beginning: Position = { at: '', same: 0 };

const headBytes = 8;
/** The engine cuts lines at 16 KiB. */
const messageBytesMax = 2 ** 20;
/** `2026-11-22T03:41:49.929891841Z`, of one length always. */
const instantText = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z $/;
const instantBytes = 31;

/** Turns pieces of the engine's answer into what the container wrote since a position. */
export class OutputReader {
  #rest: Buffer = Buffer.alloc(0);
  #at: string;
  #same: number;
  /** How many of the first messages are known already. */
  #skip: number;

  constructor(from: Position) {
    this.#at = from.at;
    this.#same = from.same;
    this.#skip = from.same;
  }

  get position(): Position {
    return { at: this.#at, same: this.#same };
  }

  /** What is new in the next piece. Throws when that is not the engine's form. */
  read(piece: Uint8Array): readonly Uint8Array[] {
    const bytes = Buffer.concat([this.#rest, piece]);
    const texts: Uint8Array[] = [];
    let start = 0;
    while (bytes.length - start >= headBytes) {
      const length = bytes.readUInt32BE(start + 4);
      if (length > messageBytesMax) throw new Error('this is not the output of a container');
      if (bytes.length - start < headBytes + length) break;
      start += headBytes;
      const text = this.#message(bytes.subarray(start, start + length));
      if (text !== undefined) texts.push(text);
      start += length;
    }
    this.#rest = Buffer.from(bytes.subarray(start));
    return texts;
  }

  #message(message: Buffer): Uint8Array | undefined {
    const instant = message.toString('latin1', 0, instantBytes);
    if (!instantText.test(instant)) return message;
    const at = instant.slice(0, -1);
    if (at === this.#at && this.#skip > 0) {
      this.#skip -= 1;
      return undefined;
    }
    this.#skip = 0;
    this.#same = at === this.#at ? this.#same + 1 : 1;
    this.#at = at;
    return message.subarray(instantBytes);
  }
}

/** A position's instant as the engine wants it asked for: seconds and nanoseconds since 1970. */
export function sinceOf({ at }: Position): string | undefined {
  const [, second = '', nanoseconds = ''] = instantText.exec(`${at} `) ?? [];
  if (second === '') return undefined;
  return `${Date.parse(`${second}Z`) / 1000}.${nanoseconds}`;
}
