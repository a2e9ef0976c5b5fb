// Who may do what with requests: the one table of scopes, and whose requests a token sees.

import { PlatformError } from '@sluice/sdk/wire';
import type { RequestView } from '../../requests/request.ts';
import type { Grant, TokenScope } from '../directory.ts';
import type { RequestAim, RequestParts } from './call.ts';

/** What a call needs: to put requests and steer one's own, to see one's own, to work on those of
 * everybody, or to see to the dead of everybody. */
export type Need = 'submit' | 'read' | 'consume' | 'dead';

/** One of these scopes; the main token of a service and the admin token may do all. */
export const scopesOf: Readonly<Record<Need, readonly TokenScope[]>> = {
  submit: ['submit', 'admin'],
  read: ['submit', 'read', 'admin'],
  consume: ['consume', 'admin'],
  dead: ['admin'],
};

/** Throws 401 without a grant and 403 when its scopes do not suffice. */
export function checkNeed(grant: Grant, need: Need): void {
  if (grant.kind === 'main') return;
  if (grant.kind === 'none') {
    throw new PlatformError('unauthorized', 'the token is missing or wrong');
  }
  const scopes = scopesOf[need];
  if (scopes.some((scope) => grant.scopes.has(scope))) return;
  throw new PlatformError(
    'forbidden',
    `token ${grant.name} may not do this: it needs the scope ${scopes.join(' or ')}`,
  );
}

/** As whom a request is submitted: the name of a further token; the main token has none. */
export function ownerOf(grant: Grant): string | undefined {
  return grant.kind === 'scoped' ? grant.name : undefined;
}

/** The only owner whose requests are seen; `undefined` = everybody's are. */
export function onlyOwner(grant: Grant): { readonly name: string | undefined } | undefined {
  if (grant.kind === 'main') return undefined;
  if (grant.kind === 'scoped' && grant.scopes.has('admin')) return undefined;
  return { name: ownerOf(grant) };
}

/** The request that a call is about. Those of others are not there at all. */
export async function requestOf(
  { desk }: Pick<RequestParts, 'desk'>,
  aim: Pick<RequestAim, 'service' | 'grant' | 'params'>,
): Promise<RequestView> {
  const { id = '' } = aim.params;
  const view = isPublicId(id) ? await desk.view(aim.service.name, id) : undefined;
  return seen(aim, view);
}

/** Throws `not_found` when there is no such request for this caller. */
export function seen(
  { service, grant, params }: Pick<RequestAim, 'service' | 'grant' | 'params'>,
  view: RequestView | undefined,
): RequestView {
  const only = onlyOwner(grant);
  if (view !== undefined && (only === undefined || only.name === view.owner)) return view;
  const id = isPublicId(params.id ?? '') ? params.id : 'of that id';
  throw new PlatformError(
    'not_found',
    `service ${service.name} has no request ${id}, or no record of it any more`,
  );
}

/** Whether a text may be the id of a request at all. */
export function isPublicId(text: string): boolean {
  return /^[1-9]\d{0,15}-[0-9a-f]{8}$/.test(text);
}
