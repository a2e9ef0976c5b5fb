// What a model reports of its work, as it writes it: one JSON object, a JSON object a line, or
// plain text for the log. Strict: a misspelt name is told to whoever wrote it instead of being
// passed over.

import { PlatformError, textNoteBytesMax, type WorkNote } from '@sluice/sdk/wire';

/** Most bytes of one report. */
export const reportBytesMax: number = 64 * 1024;
const names = ['percent', 'stage', 'preview', 'log'] as const;

/** Throws `bad_request` that says what is wrong. */
export function readReportBody(contentType: string | undefined, body: Buffer): WorkNote[] {
  const text = body.toString('utf8');
  const type = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase();
  if (type === 'text/plain') return text === '' ? [] : [textNote('log', text.replace(/\n$/, ''))];
  if (type === 'application/x-ndjson' || type === 'application/jsonl') {
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .flatMap(readObject);
  }
  return readObject(text);
}

function readObject(text: string): WorkNote[] {
  const value = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw mistake('a report is a JSON object');
  }
  return Object.entries(value).flatMap(([name, field]) => readField(name, field));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw mistake('a report is JSON, or text/plain for log lines');
  }
}

function readField(name: string, value: unknown): WorkNote[] {
  if (value === null) return [];
  switch (name) {
    case 'percent':
      if (typeof value !== 'number' || !(value >= 0 && value <= 100)) {
        throw mistake('percent is a number from 0 to 100');
      }
      return [{ kind: 'percent', value }];
    case 'stage':
    case 'preview':
    case 'log':
      if (typeof value !== 'string') throw mistake(`${name} is a text`);
      return [textNote(name, value)];
    default:
      throw mistake(`there is no ${name} in a report, only ${names.join(', ')}`);
  }
}

function textNote(kind: 'stage' | 'preview' | 'log', text: string): WorkNote {
  const bytesMax = textNoteBytesMax[kind];
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) {
    throw new PlatformError('too_large', `${kind} has ${bytes} bytes, at most ${bytesMax}`);
  }
  return { kind, text };
}

function mistake(text: string): PlatformError {
  return new PlatformError('bad_request', text);
}
