// docs/protocol.md tells authors of other clients the truth: every code of the stream protocol is
// in its tables, under its name, and nothing else is.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { clientCodec, serverCodec } from '../src/stream/codec.ts';
import {
  helloTimeoutMs,
  partBytesMax,
  streamMessageBytesMax,
  streamPath,
  streamVersion,
  wholePayloadBytesMax,
} from '../src/stream/limits.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

function section(title: string): string {
  const start = page.indexOf(title);
  return page.slice(start, page.indexOf('\n### ', start + title.length));
}

function codesIn(title: string): Map<string, number> {
  const rows = section(title).matchAll(/^\| (0x[0-9a-f]{2}) \| (\w+) \|/gm);
  return new Map([...rows].map(([, code, kind]) => [String(kind), Number(code)]));
}

const sorted = (codes: ReadonlyMap<string, number>) =>
  [...codes].sort(([one], [other]) => one.localeCompare(other));

describe('the page about the protocol', () => {
  it('lists every operation of either side with its code', () => {
    expect(sorted(codesIn('### 2.2'))).toEqual(sorted(clientCodec.codes));
    expect(sorted(codesIn('### 2.3'))).toEqual(sorted(serverCodec.codes));
  });

  it('states the fixed limits', () => {
    expect(page).toContain(`WebSocket at \`${streamPath}\``);
    expect(page).toContain(`version = ${streamVersion}`);
    expect(page).toContain(`within ${helloTimeoutMs / 1000} s`);
    expect(streamMessageBytesMax).toBe(2 ** 20);
    expect(page).toContain(`more than ${wholePayloadBytesMax / 1024} KiB`);
    expect(page).toContain(`of ${partBytesMax / 1024} KiB or less`);
  });

  it('gives no code twice', () => {
    for (const { codes } of [clientCodec, serverCodec]) {
      expect(new Set(codes.values()).size).toBe(codes.size);
    }
  });
});
