// The tokens of one service: a main token that may do every operation of the queue protocol on it,
// and further ones with scopes. Plain values; the registry keeps them with the definition. Secrets
// never stand in a log or a message.

import { PlatformError, type Scope } from '@sluice/sdk/wire';
import type { Random } from '../kernel/random.ts';
import type { TokenWish } from './spec.ts';

export const tokenScopes: readonly Scope[] = ['submit', 'read', 'consume', 'admin'];

/** The name under which the main token is shown. */
export const mainTokenName = 'main';

export type MainToken =
  | { readonly kind: 'open' }
  | { readonly kind: 'secret'; readonly secret: string };

export interface FurtherToken {
  readonly name: string;
  readonly secret: string;
  readonly scopes: readonly Scope[];
}

export interface TokenSet {
  readonly main: MainToken;
  readonly further: readonly FurtherToken[];
}

const furtherMax = 64;
const secretBytes = 24;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Tokens of a new service. */
export function firstTokens(wish: TokenWish, random: Random): TokenSet {
  return { main: mainOf(wish, random), further: [] };
}

/**
 * Tokens after an update. Only a wish that changed has an effect: a file that still names a token
 * which has since been rotated away does not bring it back.
 */
export function updatedTokens(
  tokens: TokenSet,
  wishes: { readonly before: TokenWish; readonly after: TokenWish },
  random: Random,
): TokenSet {
  const { before, after } = wishes;
  if (secretOf(before) === secretOf(after)) return tokens;
  if (after.kind === 'generated' && tokens.main.kind === 'secret') return tokens;
  const main = mainOf(after, random);
  refuseTwins(main, tokens.further);
  return { ...tokens, main };
}

/** A new secret for the main token, or for the further token `name`. */
export function rotateToken(tokens: TokenSet, name: string, random: Random): TokenSet {
  const secret = random.secret(secretBytes);
  if (name === mainTokenName) {
    if (tokens.main.kind === 'open') {
      throw new PlatformError(
        'conflict',
        'the service is open and has no token; change "token" in its file first',
      );
    }
    return { ...tokens, main: { kind: 'secret', secret } };
  }
  requireToken(tokens, name);
  const further = tokens.further.map((token) =>
    token.name === name ? { ...token, secret } : token,
  );
  return { ...tokens, further };
}

/** A further token with a new secret. */
export function addToken(
  tokens: TokenSet,
  wanted: { readonly name: string; readonly scopes: readonly string[] },
  random: Random,
): TokenSet {
  const { name } = wanted;
  if (!namePattern.test(name)) {
    throw new PlatformError(
      'bad_request',
      'a token is named with up to 64 letters, digits, _ . or -, the first a letter or digit',
    );
  }
  if (name === mainTokenName || tokens.further.some((token) => token.name === name)) {
    throw new PlatformError('conflict', `there is a token "${name}" already; it can be rotated`);
  }
  if (tokens.further.length >= furtherMax) {
    throw new PlatformError('conflict', `a service has at most ${furtherMax} further tokens`);
  }
  const token = { name, secret: random.secret(secretBytes), scopes: checkedScopes(wanted.scopes) };
  return { ...tokens, further: [...tokens.further, token] };
}

/** Takes a further token away. */
export function removeToken(tokens: TokenSet, name: string): TokenSet {
  if (name === mainTokenName) {
    throw new PlatformError('conflict', 'the main token can be rotated, not removed');
  }
  requireToken(tokens, name);
  return { ...tokens, further: tokens.further.filter((token) => token.name !== name) };
}

function mainOf(wish: TokenWish, random: Random): MainToken {
  switch (wish.kind) {
    case 'open':
      return { kind: 'open' };
    case 'given':
      return { kind: 'secret', secret: wish.secret };
    case 'generated':
      return { kind: 'secret', secret: random.secret(secretBytes) };
  }
}

function secretOf(wish: TokenWish): string | undefined {
  if (wish.kind === 'open') return '';
  return wish.kind === 'given' ? wish.secret : undefined;
}

function refuseTwins(main: MainToken, further: readonly FurtherToken[]): void {
  if (main.kind === 'open') return;
  const twin = further.find((token) => token.secret === main.secret);
  if (twin === undefined) return;
  throw new PlatformError('conflict', `the token is that of "${twin.name}"; choose another`);
}

function requireToken(tokens: TokenSet, name: string): void {
  if (tokens.further.some((token) => token.name === name)) return;
  throw new PlatformError('not_found', `there is no token "${name}"`);
}

function checkedScopes(scopes: readonly string[]): readonly Scope[] {
  const known = tokenScopes.filter((scope) => scopes.includes(scope));
  const strange = scopes.filter((scope) => !tokenScopes.some((name) => name === scope));
  if (known.length > 0 && strange.length === 0) return known;
  const given = scopes.length === 0 ? 'none' : scopes.map((scope) => `"${scope}"`).join(', ');
  throw new PlatformError(
    'bad_request',
    `scopes are one or more of ${tokenScopes.join(', ')}; given: ${given}`,
  );
}
