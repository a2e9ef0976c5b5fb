// The events of one request as lines, or its output alone as the model streams it.

import type { RequestClient, RequestEvent } from '@sluice/sdk';
import type { Context } from './context.ts';
import { printable } from './tables.ts';

const nameWidth = 'progress'.length;

/** Prints until the request is at rest; throws when interrupted. */
export async function printRequestEvents(
  context: Context,
  requests: RequestClient,
  id: string,
  { raw }: { readonly raw: boolean },
): Promise<void> {
  for await (const event of requests.events(id, { signal: context.interrupted })) {
    if (raw) await printOutput(context, event);
    else await context.output.print(event, () => [lineOf(event)]);
  }
}

/** A piece of output as it is; all else that a reader has to know beside it. */
async function printOutput({ output }: Context, event: RequestEvent): Promise<void> {
  switch (event.event) {
    case 'output':
      await output.bytes(bytesOf(event.data));
      return;
    case 'reset':
      output.note(`(attempt ${event.data.attempt}: what came before counts no more)`);
      return;
    case 'gap':
      output.note(`(${event.data.bytes} bytes are not kept any more)`);
      return;
    case 'done':
      if (event.data.state !== 'succeeded') output.note(`(${wordsOf(event)})`);
      return;
    case 'state':
    case 'progress':
      return;
  }
}

/** `1.4  progress  40 % rendering` in columns. */
function lineOf(event: RequestEvent): string {
  return printable([event.id, event.event.padEnd(nameWidth), wordsOf(event)].join('  '));
}

function wordsOf(event: RequestEvent): string {
  switch (event.event) {
    case 'state': {
      const { state, why, position = 0, instance = '' } = event.data;
      const behind = position === 0 ? '' : `behind ${position}`;
      return joined([state, instance, why?.text ?? behind]);
    }
    case 'output':
      return 'text' in event.data ? event.data.text : `${bytesOf(event.data).length} bytes`;
    case 'progress': {
      const { percent, stage = '', preview = '', log = '' } = event.data;
      return joined([percent === undefined ? '' : `${percent} %`, stage, preview, log]);
    }
    case 'reset':
      return `attempt ${event.data.attempt}: what came before counts no more`;
    case 'gap':
      return `${event.data.bytes} bytes of output are not kept any more`;
    case 'done':
      return joined([event.data.state, event.data.cause ?? '', event.data.code]);
  }
}

function bytesOf(data: { readonly text: string } | { readonly base64: string }): Buffer {
  return 'text' in data ? Buffer.from(data.text) : Buffer.from(data.base64, 'base64');
}

function joined(words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}
