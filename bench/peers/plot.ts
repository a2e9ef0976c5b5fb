// Plots as SVG, drawn by hand: bars with their spread, and lines over a logarithmic axis. They
// stand on a white card, so that they read the same on a dark page.

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** The one that the others are compared with. */
  readonly isOwn: boolean;
  /** What stands at its end. */
  readonly text: string;
}

export interface Line {
  readonly label: string;
  readonly isOwn: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const width = 760;
const font = 'font-family="system-ui, sans-serif" font-size="13"';
const ink = '#1f2933';
const faint = '#d5dae0';
const ownColor = '#0b6e4f';
const barColor = '#9fb3c8';
/** Told apart by people who see few colours too: they differ in lightness, and lines in dashes. */
const colors = [
  '#1f4e9c',
  '#c2410c',
  '#7b2d8b',
  '#b08900',
  '#4b5563',
  '#0891b2',
  '#be185d',
] as const;
const dashes = ['', '6 3', '2 3', '8 3 2 3'] as const;

/** One bar a row, the longest first as given; a thin line over each from lowest to highest. */
export function bars(title: string, unit: string, all: readonly Bar[]): string {
  const row = 30;
  const top = 52;
  const left = 190;
  const right = 110;
  const height = top + all.length * row + 12;
  const most = Math.max(...all.map(({ max }) => max), Number.MIN_VALUE);
  const scale = (value: number): number => (value / most) * (width - left - right);
  const drawn = all.flatMap((bar, at) => {
    const y = top + at * row;
    const middle = y + row / 2 - 3;
    const end = left + Math.max(scale(bar.value), scale(bar.max));
    return [
      text(left - 10, middle + 4, bar.label, 'end', bar.isOwn),
      `<rect x="${left}" y="${y}" width="${round(scale(bar.value))}" height="${row - 8}"` +
        ` fill="${bar.isOwn ? ownColor : barColor}"/>`,
      `<path d="M${round(left + scale(bar.min))} ${middle}H${round(left + scale(bar.max))}"` +
        ` stroke="${ink}" stroke-width="1.5"/>`,
      text(end + 8, middle + 4, bar.text, 'start', bar.isOwn),
    ];
  });
  return card(height, [heading(title, unit), ...drawn]);
}

/** Values over a logarithmic axis, also of values; each line has its name at its end. */
export function lines(
  title: string,
  axes: { readonly x: string; readonly y: string },
  all: readonly Line[],
): string {
  const height = 430;
  const box = { left: 70, right: width - 190, top: 60, bottom: height - 46 };
  const points = all.flatMap((line) => line.points).filter(({ x, y }) => x > 0 && y > 0);
  const [x0, x1] = reach(points.map(({ x }) => x));
  const [y0, y1] = reach(points.map(({ y }) => y));
  const atX = (x: number): number =>
    box.left + (log(x / x0) / log(x1 / x0)) * (box.right - box.left);
  const atY = (y: number): number =>
    box.bottom - (log(y / y0) / log(y1 / y0)) * (box.bottom - box.top);
  const grid = [
    ...powers(x0, x1).flatMap((x) => [
      `<path d="M${round(atX(x))} ${box.top}V${box.bottom}" stroke="${faint}"/>`,
      text(atX(x), box.bottom + 18, short(x), 'middle'),
    ]),
    ...powers(y0, y1).flatMap((y) => [
      `<path d="M${box.left} ${round(atY(y))}H${box.right}" stroke="${faint}"/>`,
      text(box.left - 8, atY(y) + 4, short(y), 'end'),
    ]),
    text((box.left + box.right) / 2, height - 8, axes.x, 'middle'),
  ];
  const ends = spreadOut(
    all.map(({ points: [...own] }) => atY(Math.max(y0, own.at(-1)?.y ?? y0))),
    15,
  );
  const drawn = all.flatMap((line, at) => {
    const seen = line.points.filter(({ x, y }) => x > 0 && y > 0);
    const path = seen.map(
      ({ x, y }, of) => `${of === 0 ? 'M' : 'L'}${round(atX(x))} ${round(atY(y))}`,
    );
    const color = line.isOwn ? ownColor : (colors[at % colors.length] ?? ink);
    const dash = line.isOwn ? '' : (dashes[at % dashes.length] ?? '');
    const last = seen.at(-1);
    if (last === undefined) return [];
    const labelY = ends[at] ?? atY(last.y);
    return [
      `<path d="${path.join('')}" fill="none" stroke="${color}"` +
        ` stroke-width="${line.isOwn ? 3 : 1.8}" stroke-dasharray="${dash}"/>`,
      ...seen.map(
        ({ x, y }) =>
          `<circle cx="${round(atX(x))}" cy="${round(atY(y))}" r="2.6" fill="${color}"/>`,
      ),
      `<path d="M${round(atX(last.x))} ${round(atY(last.y))}L${box.right + 10} ${round(labelY)}"` +
        ` stroke="${color}" stroke-width="0.6" fill="none"/>`,
      text(box.right + 14, labelY + 4, line.label, 'start', line.isOwn, color),
    ];
  });
  return card(height, [heading(title, axes.y), ...grid, ...drawn]);
}

function card(height: number, parts: readonly string[]): string {
  const open =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img" ${font}>`;
  const back = `<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>`;
  return `${[open, back, ...parts, '</svg>'].join('\n')}\n`;
}

function heading(title: string, unit: string): string {
  return [
    `<title>${escaped(title)}</title>`,
    `<text x="16" y="24" font-size="16" font-weight="600" fill="${ink}">${escaped(title)}</text>`,
    text(16, 42, unit, 'start'),
  ].join('\n');
}

function text(
  x: number,
  y: number,
  what: string,
  anchor: 'start' | 'middle' | 'end',
  isBold = false,
  color: string = ink,
): string {
  const weight = isBold ? ' font-weight="600"' : '';
  const where = `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"`;
  return `<text ${where} fill="${color}"${weight}>${escaped(what)}</text>`;
}

/** From the power of ten at or below the lowest to the one at or above the highest. */
function reach(values: readonly number[]): readonly [number, number] {
  const low = 10 ** Math.floor(log(Math.min(...values, 1e9)));
  const high = 10 ** Math.ceil(log(Math.max(...values, low)));
  return [low, high > low ? high : low * 10];
}

function powers(from: number, to: number): readonly number[] {
  const count = Math.round(log(to / from)) + 1;
  return Array.from({ length: count }, (_, at) => from * 10 ** at);
}

/** Heights of labels, moved apart so that each has `room`. */
function spreadOut(heights: readonly number[], room: number): readonly number[] {
  const order = heights.map((height, at) => ({ height, at })).sort((a, b) => a.height - b.height);
  const found = [...heights];
  let last = Number.NEGATIVE_INFINITY;
  for (const { height, at } of order) {
    last = Math.max(height, last + room);
    found[at] = last;
  }
  return found;
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`;
  if (value >= 1000) return `${value / 1000} k`;
  return String(Number(value.toPrecision(3)));
}

function log(value: number): number {
  return Math.log10(value);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(what: string): string {
  return what.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
