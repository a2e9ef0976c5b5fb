// Numbers written by a pattern of printf, the part of it that formatNumber is used with.

/** What writes numbers by a pattern as %8.2f or %05d kg; undefined for one that isn't supported. */
export function numberFormat(pattern: string): ((number: number) => string) | undefined {
  const match = /^((?:[^%]|%%)*)%([-+ 0,]*)(\d*)(?:\.(\d+))?([dfeE])((?:[^%]|%%)*)$/.exec(pattern);
  if (match === null) return undefined;
  const [, before = '', flags = '', width = '', precision, kind = '', after = ''] = match;
  if (kind === 'd' && precision !== undefined) return undefined;
  const digits = Number(precision ?? 6);
  const write = (size: number): string => {
    if (kind === 'd') return String(Math.round(size));
    if (kind === 'f') return size.toFixed(digits);
    // An exponent has two digits at least: 1.5e+03.
    const text = size.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
    return kind === 'E' ? text.toUpperCase() : text;
  };
  return (number) => {
    let text = write(Math.abs(number));
    if (flags.includes(',')) text = text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',');
    const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
    const room = Number(width) - sign.length;
    const padded =
      flags.includes('0') && !flags.includes('-')
        ? sign + text.padStart(room, '0')
        : flags.includes('-')
          ? (sign + text).padEnd(Number(width))
          : (sign + text).padStart(Number(width));
    return `${before}${padded}${after}`.replaceAll('%%', '%');
  };
}
