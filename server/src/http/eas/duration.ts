// Durations of the EAS protocol: Go's notation, and bare numbers, which some clients send and mean
// seconds.

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC, which Go takes too
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const whole = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** Milliseconds, `1m0.5s` = 60500; undefined when `text` is no duration. */
export function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!whole.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(part))
    sum += Number(number) * (unitMs[unit ?? ''] ?? 0);
  return text.startsWith('-') ? -sum : sum;
}

/** As Go prints it, to the millisecond: 62500 is `1m2.5s`, 3600000 is `1h0m0s`, 850 is `850ms`. */
export function formatGoDuration(ms: number): string {
  const rounded = Math.max(0, Math.round(ms));
  if (rounded === 0) return '0s';
  if (rounded < 1000) return `${rounded}ms`;
  const hours = Math.floor(rounded / 3_600_000);
  const minutes = Math.floor(rounded / 60_000) % 60;
  const seconds = (rounded % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
