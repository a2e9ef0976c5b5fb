// Special functions that PMML needs and JavaScript lacks: the error function, the normal
// distribution and its inverse, to about 1e-15 relative.

/** The error function. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  const size = Math.abs(x);
  const value = size < 2.5 ? series(size) : 1 - tail(size);
  return x < 0 ? -value : value;
}

/** 1 - erf(x), without the loss that the subtraction has for large x. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < 0) return 2 - erfc(-x);
  return x < 2.5 ? 1 - series(x) : tail(x);
}

/** The share of a standard normal distribution below z. */
export function normalCdf(z: number): number {
  return erfc(-z / Math.SQRT2) / 2;
}

/** The density of a standard normal distribution. */
export function normalPdf(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/** The z below which the share p of a standard normal distribution lies; NaN outside of 0 to 1. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN;
  if (p === 0 || p === 1) return p === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  // Below one half there is no cancellation; the other half is its mirror.
  if (p > 0.5) return -normalQuantile(1 - p);
  let z = firstQuantile(p);
  // Two steps of Halley's method square and cube the 1e-4 of the first guess away.
  for (let step = 0; step < 3; step += 1) {
    const error = (normalCdf(z) - p) / normalPdf(z);
    z -= error / (1 + (z * error) / 2);
  }
  return z;
}

// The series of Kummer, all of whose terms are positive: nothing cancels.
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

// The continued fraction of erfc from behind; from 2.5 on 60 steps are more than enough.
function tail(x: number): number {
  if (x > 27) return 0;
  let fraction = x;
  for (let n = 60; n > 0; n -= 1) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (fraction * Math.sqrt(Math.PI));
}

// Abramowitz and Stegun 26.2.23, good to 4.5e-4.
function firstQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  const above = 2.515517 + t * (0.802853 + t * 0.010328);
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return -(t - above / below);
}
