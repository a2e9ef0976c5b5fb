// Server-sent events read from an answer of fetch: the text in pieces becomes events, whatever the
// pieces are. `EventSource` of browsers can't send a token in a header, and Node has none.

import { PlatformError } from '../errors.ts';

/** One event as it came. */
export interface SentEvent {
  /** Empty = it has none. */
  readonly id: string;
  /** `message` where nothing else was said. */
  readonly event: string;
  readonly data: string;
}

// The server keeps at most 256 KiB of a request's events; one event can be no larger.
const charactersMax = 4 * 2 ** 20;

export class EventParser {
  #rest = '';
  #id = '';
  #event = '';
  #data: string[] = [];
  #size = 0;

  /** The events that are whole with this piece. Throws `internal` when one is beyond all bounds. */
  *feed(piece: string): Generator<SentEvent> {
    const text = this.#rest + piece;
    // A line ends with \n, \r\n or \r; a \r at the very end may be the first half of an end.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#take(line);
      if (event !== undefined) yield event;
    }
    if (this.#rest.length + this.#size > charactersMax) {
      throw new PlatformError('internal', `An event has more than ${charactersMax} characters.`);
    }
  }

  #take(line: string): SentEvent | undefined {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    // Comments only keep the connection alive.
    if (colon === 0) return undefined;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    }
    return undefined;
  }

  #end(): SentEvent | undefined {
    const data = this.#data;
    const event = this.#event || 'message';
    this.#event = '';
    this.#data = [];
    this.#size = 0;
    return data.length === 0 ? undefined : { id: this.#id, event, data: data.join('\n') };
  }
}
