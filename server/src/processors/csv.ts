// CSV as RFC 4180 has it: a header line, commas, double quotes around what holds them, CRLF or LF.
// Tables of other tools are read too: a byte order mark, blank lines at the end.

import { InputError } from './processor.ts';

/** One line of the table under the header. */
export interface CsvLine {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly values: readonly string[];
}

export interface CsvTable {
  readonly header: readonly string[];
  readonly lines: readonly CsvLine[];
}

/** Throws InputError with the line: an open quote, too few or too many values, a name twice. */
export function parseCsv(text: string): CsvTable {
  const records = split(text);
  const [head, ...lines] = records;
  if (head === undefined) throw new InputError('the CSV is empty; a header line is expected');
  const header = head.values.map((name) => name.trim());
  const twice = header.find((name, at) => header.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new InputError(`the header names ${twice} twice`, { field: twice, row: 1 });
  }
  for (const { line, values } of lines) {
    if (values.length === header.length) continue;
    const what = `${values.length} values for ${header.length} columns`;
    throw new InputError(`line ${line}: ${what}`, { row: line });
  }
  return { header, lines };
}

/** A table with a header line, lines ended by LF; undefined and null are empty. */
export function writeCsv(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
): string {
  const lines = rows.map((row) => columns.map((column) => cell(row[column])).join(','));
  return [columns.map(cell).join(','), ...lines, ''].join('\n');
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function split(text: string): readonly CsvLine[] {
  const records: CsvLine[] = [];
  let at = text.startsWith('\ufeff') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const begin = line;
    const values: string[] = [];
    for (;;) {
      const { value, next, breaks } = text[at] === '"' ? quoted(text, at, line) : plain(text, at);
      values.push(value);
      line += breaks;
      at = next;
      if (text[at] !== ',') break;
      at += 1;
    }
    if (at < text.length) {
      if (!isBreak(text[at])) throw new InputError(`line ${line}: ${badQuote}`, { row: line });
      at += text.startsWith('\r\n', at) ? 2 : 1;
    }
    line += 1;
    if (values.length > 1 || values[0] !== '') records.push({ line: begin, values });
  }
  return records;
}

const badQuote = 'a comma is missing behind a quoted value';

interface Cell {
  readonly value: string;
  /** The place behind it. */
  readonly next: number;
  /** Lines that end within it. */
  readonly breaks: number;
}

function plain(text: string, from: number): Cell {
  let next = from;
  while (next < text.length && text[next] !== ',' && !isBreak(text[next])) next += 1;
  return { value: text.slice(from, next), next, breaks: 0 };
}

function quoted(text: string, from: number, line: number): Cell {
  let end = from;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw new InputError(`line ${line}: a quote is not closed`, { row: line });
    if (text[end + 1] !== '"') break;
    // Two quotes stand for one.
    end += 1;
  }
  const value = text.slice(from + 1, end).replaceAll('""', '"');
  return { value, next: end + 1, breaks: value.split('\n').length - 1 };
}

function isBreak(char: string | undefined): boolean {
  return char === '\r' || char === '\n';
}
