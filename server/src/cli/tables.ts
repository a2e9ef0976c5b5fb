// Tables as eascmd prints them, so that what reads its columns reads ours: frames of +, - and |, a
// line a row, heads in the middle, numbers to the right. Text of others can't steer the terminal.

export interface Column<Row> {
  readonly head: string;
  read(row: Row): string | number;
}

/** Heads and rows. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const heads = columns.map((column) => column.head);
  const values = rows.map((row) => columns.map((column) => column.read(row)));
  const cells = values.map((line) => line.map((value) => printable(String(value))));
  const widths = heads.map((head, at) =>
    Math.max(head.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  const numeric = heads.map((_, at) => values.every((line) => typeof line[at] === 'number'));
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const row = (line: readonly string[], place: (text: string, at: number) => string): string =>
    `|${line.map((text, at) => ` ${place(text, at)} `).join('|')}|`;
  const aligned = (text: string, at: number): string =>
    numeric[at] === true ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0);
  return [
    rule,
    row(heads, (text, at) => centred(text, widths[at] ?? 0)),
    rule,
    ...cells.map((line) => row(line, aligned)),
    ...(cells.length === 0 ? [] : [rule]),
  ];
}

/** Two columns, names to the right; a value of several lines takes several rows. */
export function sheet(entries: readonly (readonly [string, string | number])[]): string[] {
  const rows = entries.flatMap(([name, value]) =>
    String(value)
      .split('\n')
      .map((line, at) => [at === 0 ? name : '', line.replaceAll('\t', '  ')] as const),
  );
  const cells = rows.map(([name, value]) => [name, printable(value)] as const);
  const widest = Math.max(0, ...cells.map(([name]) => name.length));
  const longest = Math.max(0, ...cells.map(([, value]) => value.length));
  const rule = `+${'-'.repeat(widest + 2)}+${'-'.repeat(longest + 2)}+`;
  const lines = cells.map(
    ([name, value]) => `| ${name.padStart(widest)} | ${value.padEnd(longest)} |`,
  );
  return [rule, ...lines, rule];
}

/** Names and values below each other, without a frame. Empty values are left out. */
export function pairs(entries: readonly (readonly [string, string | number])[]): string[] {
  const shown = entries.filter(([, value]) => value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`);
}

/** Text from elsewhere without what could steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** RFC 3339 without the fraction of a second. */
export function shortInstant(text: string): string {
  return text.replace(/\.\d+Z$/, 'Z');
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return `${' '.repeat(left)}${text}`.padEnd(width);
}
