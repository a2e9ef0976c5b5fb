// The normal distribution and the error function, to about 15 digits: probit links, the built-in
// functions normalCDF and erf. No table of coefficients: a series near zero, a continued fraction
// further out, each where it converges fast.

const fractionsFrom = 2;
/** At 2 and beyond the fraction of this depth differs from the true value by less than 1e-17. */
const fractionDepth = 80;

/** The error function: the share of a normal distribution of variance 1/2 that lies in [-x, x]. */
export function erf(x: number): number {
  if (Math.abs(x) < fractionsFrom) return series(x);
  return x > 0 ? 1 - tail(x) : tail(-x) - 1;
}

/** 1 - erf(x), exact in the far tail too, where erf is all but 1. */
export function erfc(x: number): number {
  if (Math.abs(x) < fractionsFrom) return 1 - series(x);
  return x > 0 ? tail(x) : 2 - tail(-x);
}

/** The probability that a standard normal variable is at most z. */
export function normalCdf(z: number): number {
  return erfc(-z / Math.SQRT2) / 2;
}

// erf(x) = 2/sqrt(pi) exp(-x^2) (x + 2x^3/3 + 4x^5/15 + ...): all terms have one sign.
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > Math.abs(sum) * 1e-17; odd += 2) {
    term *= (2 * x * x) / odd;
    sum += term;
  }
  return ((2 / Math.sqrt(Math.PI)) * sum) / Math.exp(x * x);
}

// erfc(x) = exp(-x^2)/sqrt(pi) / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))), from the inside out.
function tail(x: number): number {
  if (Number.isNaN(x) || x === Number.POSITIVE_INFINITY) return Number.isNaN(x) ? x : 0;
  let below = x;
  for (let at = fractionDepth; at > 0; at -= 1) below = x + at / 2 / below;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / below;
}
