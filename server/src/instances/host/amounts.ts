// Amounts of a machine in words: "4 cores", "2.5 GB", "1 accelerator".

/** An amount with its unit, and without it beside others of the kind. */
export interface AmountText {
  full(amount: number): string;
  short(amount: number): string;
}

export const coresText: AmountText = {
  full: (millis) => `${decimal(millis / 1000)} ${millis === 1000 ? 'core' : 'cores'}`,
  short: (millis) => decimal(millis / 1000),
};

export const memoryText: AmountText = {
  full: (bytes) => `${sizeText(bytes)} of memory`,
  short: sizeText,
};

export const devicesText: AmountText = {
  full: (count) => `${count} ${count === 1 ? 'accelerator' : 'accelerators'}`,
  short: String,
};

/** Named in a sentence; the rest is a number. */
const namedMax = 5;

/** "A holds 4, B 2.5 and 3 others 1.5"; empty without any. */
export function sharesText(
  shares: readonly (readonly [string, number])[],
  text: (amount: number) => string,
): string {
  const named = shares.slice(0, namedMax).map(([name, amount], at) => {
    return `${name}${at === 0 ? ' holds' : ''} ${text(amount)}`;
  });
  const rest = shares.slice(namedMax);
  const sum = rest.reduce((all, [, amount]) => all + amount, 0);
  const others = rest.length === 0 ? '' : ` and ${rest.length} others ${text(sum)}`;
  return named.join(', ') + others;
}

function sizeText(bytes: number): string {
  const giga = bytes / 2 ** 30;
  return giga >= 1 || bytes === 0 ? `${decimal(giga)} GB` : `${decimal(bytes / 2 ** 20)} MB`;
}

function decimal(value: number): string {
  return String(Math.round(value * 100) / 100);
}
