// The built-in functions over numbers: arithmetic, aggregates of their arguments, the functions of
// analysis, and the normal distribution.

import { erf, normalCdf, normalPdf, normalQuantile } from '../special.ts';
import { type BuiltIn, numberArgument, ofOne, ofThree, ofTwo, typed } from './built-in.ts';

export const numberFunctions: Readonly<Record<string, BuiltIn>> = {
  '+': ofTwo((x, y) => x + y),
  '-': ofTwo((x, y) => x - y),
  '*': ofTwo((x, y) => x * y),
  '/': ofTwo((x, y) => x / y),
  // The sign is that of the divisor: modulo(-5, 3) is 1.
  modulo: ofTwo((x, y) => x - Math.floor(x / y) * y),
  pow: ofTwo((x, y) => x ** y),
  threshold: ofTwo((x, y) => (x > y ? 1 : 0)),
  hypot: ofTwo(Math.hypot),
  min: aggregate((numbers) => Math.min(...numbers)),
  max: aggregate((numbers) => Math.max(...numbers)),
  sum: aggregate((numbers) => numbers.reduce((sum, each) => sum + each, 0)),
  avg: aggregate((numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length),
  product: aggregate((numbers) => numbers.reduce((product, each) => product * each, 1)),
  median: aggregate(median),
  log10: ofOne(Math.log10),
  ln: ofOne(Math.log),
  ln1p: ofOne(Math.log1p),
  sqrt: ofOne(Math.sqrt),
  abs: ofOne(Math.abs),
  exp: ofOne(Math.exp),
  expm1: ofOne(Math.expm1),
  floor: ofOne(Math.floor),
  ceil: ofOne(Math.ceil),
  round: ofOne(Math.round),
  rint: ofOne(roundHalfEven),
  sin: ofOne(Math.sin),
  asin: ofOne(Math.asin),
  sinh: ofOne(Math.sinh),
  cos: ofOne(Math.cos),
  acos: ofOne(Math.acos),
  cosh: ofOne(Math.cosh),
  tan: ofOne(Math.tan),
  atan: ofOne(Math.atan),
  tanh: ofOne(Math.tanh),
  erf: ofOne(erf),
  stdNormalCDF: ofOne(normalCdf),
  stdNormalPDF: ofOne(normalPdf),
  stdNormalIDF: ofOne(normalQuantile),
  normalCDF: ofThree((x, mean, deviation) => normalCdf((x - mean) / deviation)),
  normalPDF: ofThree((x, mean, deviation) => normalPdf((x - mean) / deviation) / deviation),
  normalIDF: ofThree((p, mean, deviation) => mean + deviation * normalQuantile(p)),
};

/** The middle of the numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? Number.NaN) + upper) / 2 : upper;
}

// Missing values are passed over; the result is missing only if all are.
function aggregate(compute: (numbers: readonly number[]) => number): BuiltIn {
  return {
    least: 1,
    most: Number.POSITIVE_INFINITY,
    compile(args, where) {
      const all = args.map((argument) => numberArgument(argument, where));
      return typed('double', (row) => {
        const numbers: number[] = [];
        for (const each of all) {
          const number = each(row);
          if (number !== undefined) numbers.push(number);
        }
        return numbers.length === 0 ? undefined : compute(numbers);
      });
    },
  };
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
