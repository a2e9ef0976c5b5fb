// How a message is shown: its payload as it is on standard output, everything else beside it.

import type { Message } from '@sluice/sdk';
import { CommandError, type Context } from './context.ts';
import { printable } from './tables.ts';

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
  return { index, id, tags: Object.fromEntries(tags), ...shownPayload(payload) };
}

/** A payload as a member of JSON: as text when it is text. */
export function shownPayload(
  payload: Uint8Array,
): { readonly text: string } | { readonly base64: string } {
  const text = textOf(payload);
  return text === undefined ? { base64: Buffer.from(payload).toString('base64') } : { text };
}

/** Head on standard error, payload on standard output; one line of JSON with `--json`. */
export async function printMessage(
  context: Context,
  message: Message,
  how: 'only' | 'oneOfMany',
): Promise<void> {
  const { output } = context;
  if (output.isJson) {
    await output.print(shownMessage(message), () => []);
    return;
  }
  output.note(headOf(message));
  await printPayload(context, message.payload, how);
}

/** To standard output. A payload that is the only one goes into a pipe or file as it is, byte for
 * byte; of several, or on a terminal, each text ends its line. */
export async function printPayload(
  { output }: Context,
  payload: Uint8Array,
  how: 'only' | 'oneOfMany',
): Promise<void> {
  const text = textOf(payload);
  if (output.isTerminal && text === undefined) {
    output.note(`(${payload.byteLength} bytes that are no text)`);
    return;
  }
  const isLine = output.isTerminal || how === 'oneOfMany';
  const lacksEnd = isLine && text !== undefined && !text.endsWith('\n');
  await output.bytes(lacksEnd ? Buffer.concat([payload, lineEnd]) : payload);
}

/** The result of a request that failed makes the command fail, once it is printed. */
export function throwIfFailed({ tags }: Message): void {
  const code = tags.get('lastCode');
  if (code === undefined) return;
  const reason = tags.get('lastReason') ?? '';
  throw new CommandError(`the request failed with ${code}${reason === '' ? '' : `: ${reason}`}`);
}

const lineEnd = Buffer.from('\n');

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
