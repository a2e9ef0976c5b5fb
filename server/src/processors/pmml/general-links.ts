// The inverses of link functions: from a linear predictor to a mean, or to the probability of a
// category or one before it.

import type { Element } from './element.ts';
import { normalCdf } from './special.ts';

/** Turns a linear predictor into what it stands for. */
export type Link = (predictor: number) => number;

const logistic: Link = (eta) => 1 / (1 + Math.exp(-eta));
const cloglog: Link = (eta) => -Math.expm1(-Math.exp(eta));
const loglog: Link = (eta) => Math.exp(-Math.exp(-eta));

/** The inverse of the model's linkFunction, with its parameter. */
export function linkOf(model: Element): Link {
  const name = model.choice('linkFunction', [
    'cloglog',
    'identity',
    'log',
    'logc',
    'logit',
    'loglog',
    'negbin',
    'oddspower',
    'power',
    'probit',
  ]);
  switch (name) {
    case 'cloglog':
      return cloglog;
    case 'identity':
      return (eta) => eta;
    case 'log':
      return Math.exp;
    case 'logc':
      return (eta) => -Math.expm1(eta);
    case 'logit':
      return logistic;
    case 'loglog':
      return loglog;
    case 'negbin':
      return negativeBinomial(model.requiredNumber('distParameter'));
    case 'oddspower':
      return oddsPower(model.requiredNumber('linkParameter'));
    case 'power':
      return power(model.requiredNumber('linkParameter'));
    case 'probit':
      return normalCdf;
  }
}

// With 0 as parameter both families become the link that they tend to.
function oddsPower(d: number): Link {
  return d === 0 ? logistic : (eta) => 1 / (1 + (1 + d * eta) ** (-1 / d));
}

function power(d: number): Link {
  return d === 0 ? Math.exp : (eta) => eta ** (1 / d);
}

function negativeBinomial(c: number): Link {
  return (eta) => 1 / (c * Math.expm1(-eta));
}

/** The inverse of the model's cumulativeLink. */
export function cumulativeLinkOf(model: Element): Link {
  const names = ['logit', 'probit', 'cloglog', 'loglog', 'cauchit'] as const;
  switch (model.choice('cumulativeLink', names)) {
    case 'logit':
      return logistic;
    case 'probit':
      return normalCdf;
    case 'cloglog':
      return cloglog;
    case 'loglog':
      return loglog;
    case 'cauchit':
      return (eta) => 0.5 + Math.atan(eta) / Math.PI;
  }
}
