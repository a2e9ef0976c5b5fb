// The entrance of the request API: finds service and call by the address, looks at the token, and
// serves the call. Straight on node:http, and in the lane for submissions that wait for nothing.

import type { ServerResponse } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { queryOf } from '../eas/address.ts';
import type { RequestHead } from '../eas/call.ts';
import type { PlainHead } from '../lane/head.ts';
import type { PlainServe } from '../lane/plain.ts';
import type { EdgeRequest } from '../request.ts';
import { grantOfRequest } from '../tokens.ts';
import { fail } from './answer.ts';
import type { RequestAim, RequestParts } from './call.ts';
import type { RequestRoute } from './route.ts';
import { findRoute, type RequestAddress, requestAddress } from './router.ts';
import { submitRoute } from './routes.ts';
import { plainSubmit } from './submit.ts';
import { checkNeed } from './visibility.ts';
import { Waiters } from './waiting.ts';

const retryStoppedMs = 5000;

export class RequestHandler {
  readonly #parts: RequestParts;

  constructor(parts: Omit<RequestParts, 'waiters'>) {
    this.#parts = { ...parts, waiters: new Waiters() };
  }

  /** Answers a request when its address is one of the request API; false: it is not. */
  serve(request: EdgeRequest, response: ServerResponse): boolean {
    const address = requestAddress(request.url ?? '/');
    if (address === undefined) return false;
    try {
      const { route, ...aim } = this.#aim(request, address);
      const served = route.serve(this.#parts, { ...aim, request, response });
      served?.catch((error: unknown) => fail(this.#parts, { request, response }, error));
    } catch (error) {
      fail(this.#parts, { request, response }, error);
    }
    return true;
  }

  /** Submissions alone; whatever is wrong with one, `serve` says it. */
  admit(head: PlainHead): PlainServe | undefined {
    const address = requestAddress(head.url);
    if (address === undefined) return undefined;
    try {
      const { route, ...aim } = this.#aim(head, address);
      return route === submitRoute ? plainSubmit(this.#parts, aim, head.bodyBytes) : undefined;
    } catch {
      return undefined;
    }
  }

  #aim(
    request: RequestHead,
    address: RequestAddress,
  ): RequestAim & { readonly route: RequestRoute } {
    const { directory, adminToken } = this.#parts;
    const { route, params, path } = findRoute(request.method, address.rest);
    const name = decoded(address.service);
    const service = directory.find(name);
    if (service === undefined) {
      throw new PlatformError('not_found', `no such service: ${name.slice(0, 100)}`);
    }
    const grant = grantOfRequest(service, request, adminToken);
    checkNeed(grant, route.need);
    if (service.stopped !== undefined && route.work === 'new') {
      throw new PlatformError('unavailable', service.stopped, { retryAfterMs: retryStoppedMs });
    }
    return { request, route, service, grant, params, path, query: queryOf(request.url ?? '') };
  }
}

function decoded(name: string): string {
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch (cause) {
    throw new PlatformError('bad_request', 'the address is not percent-encoded UTF-8', { cause });
  }
}
