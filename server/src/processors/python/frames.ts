// Frames between this process and the Python host: two lengths of four bytes each, a head of JSON,
// a body. The Python half stands in `python/sluice_host.py`.

/** What stands in front of head and body. */
const lengthsBytes = 8;
/** Our own host writes them: more is damage. */
const headBytesMax = 16 * 2 ** 20;

export interface Frame {
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

/** A frame as bytes. */
export function encodeFrame(head: object, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const lengths = Buffer.allocUnsafe(lengthsBytes);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(body.length, 4);
  return Buffer.concat([lengths, text, body]);
}

/** Puts frames together from the pieces that a pipe brings. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #size = 0;
  /** Bytes that the frame under way needs, as far as is known. */
  #needed = lengthsBytes;

  /** The frames that are complete with this piece. Throws when it cannot be one of ours. */
  take(piece: Buffer): readonly Frame[] {
    this.#pieces.push(piece);
    this.#size += piece.length;
    const frames: Frame[] = [];
    // Large bodies come in many pieces, which are joined once and not at each of them.
    while (this.#size >= this.#needed) {
      const [only] = this.#pieces;
      const whole =
        this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
      this.#pieces = [whole];
      const headSize = whole.readUInt32BE(0);
      if (headSize > headBytesMax) throw new Error('the Python host sent what is no frame');
      const end = lengthsBytes + headSize + whole.readUInt32BE(4);
      this.#needed = end;
      if (this.#size < end) break;
      const head: unknown = JSON.parse(
        whole.toString('utf8', lengthsBytes, lengthsBytes + headSize),
      );
      if (typeof head === 'object' && head !== null) {
        frames.push({ head: { ...head }, body: whole.subarray(lengthsBytes + headSize, end) });
      }
      this.#pieces = end < whole.length ? [whole.subarray(end)] : [];
      this.#size -= end;
      this.#needed = lengthsBytes;
    }
    return frames;
  }
}
