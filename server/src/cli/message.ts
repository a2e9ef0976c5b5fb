// How a message is shown: its payload as it is on standard output, everything else beside it.

import type { Message } from '@sluice/sdk';
import type { Context } from './context.ts';
import { printable } from './output.ts';

export interface ShownMessage {
  readonly index: number;
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  /** The payload, when it is text. */
  readonly text?: string;
  /** The payload, when it is not. */
  readonly base64?: string;
}

/** The form in which `--json` shows a message. */
export function shownMessage(message: Message): ShownMessage {
  const { index, id, tags, payload } = message;
  const head = { index, id, tags: Object.fromEntries(tags) };
  const text = textOf(payload);
  if (text !== undefined) return { ...head, text };
  return { ...head, base64: Buffer.from(payload).toString('base64') };
}

/** Head on standard error, payload on standard output; one line of JSON with `--json`. */
export async function printMessage(context: Context, message: Message): Promise<void> {
  const { output } = context;
  if (output.isJson) {
    output.record(shownMessage(message), () => []);
    return;
  }
  output.note(headOf(message));
  const text = textOf(message.payload);
  if (output.isTerminal && text === undefined) {
    output.note(`(${message.payload.byteLength} bytes that are no text)`);
    return;
  }
  await output.bytes(message.payload);
  if (text !== undefined && !text.endsWith('\n')) await output.bytes(Buffer.from('\n'));
}

/** `#12 5f0c... lastCode=500` */
function headOf({ index, id, tags }: Message): string {
  const labels = [...tags].map(([name, value]) => `${name}=${value}`);
  return printable([`#${index}`, id, ...labels].join(' '));
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(payload: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(payload);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
