// Lists of requests: by state, cause, tags, owner, request id and time, page by page.

import {
  PlatformError,
  type RequestCauseName,
  type RequestList,
  type RequestStateName,
  requestCauses,
  requestStates,
  type Tags,
} from '@sluice/sdk/wire';
import { z } from 'zod';
import type { ListFilter } from '../../requests/request.ts';
import { answerJson } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { belowOf, cursorOf } from './cursor.ts';
import { infoOf } from './info.ts';
import { CallMistakes, checked } from './mistakes.ts';
import { onlyOwner } from './visibility.ts';

export const pageMax = 500;
const pageUsual = 50;

const instant = z.iso
  .datetime({ offset: true, message: 'must be a time such as 2026-01-31T12:00:00Z' })
  .transform((text) => Date.parse(text));

/** A whole number from 1 to the largest page. */
export const pageLimit: z.ZodType<number> = z.coerce
  .number()
  .int()
  .min(1)
  .max(pageMax)
  .default(pageUsual)
  .describe('Most of one page.');

const tagPattern = /^[^=]+=/;

interface ListQuery {
  readonly state: RequestStateName[];
  readonly cause?: RequestCauseName | undefined;
  readonly tag: string[];
  readonly owner?: string | undefined;
  readonly requestId?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The parameters of a list. */
export const listQuery: z.ZodType<ListQuery> = z.strictObject({
  state: z.array(z.enum(requestStates)).default([]).describe('Any of these; may be repeated.'),
  cause: z.enum(requestCauses).optional().describe('How it came to rest.'),
  tag: z
    .array(z.string().regex(tagPattern, 'must be name=value'))
    .default([])
    .describe('`name=value`; all of them when it is repeated.'),
  owner: z
    .string()
    .max(253)
    .optional()
    .describe("The token that submitted it; empty = the service's main token."),
  requestId: z.string().min(1).max(256).optional(),
  from: instant.optional().describe('Accepted then or later.'),
  to: instant.optional().describe('Accepted before.'),
  limit: pageLimit,
  cursor: z.string().max(256).optional().describe('`next` of the page before.'),
});

const lists: ReadonlySet<string> = new Set(['state', 'tag']);
const cursorKind = 'requests';

export async function serveList(parts: RequestParts, call: RequestCall): Promise<void> {
  const query = checked(listQuery, 'the parameters', parametersOf(call.query, lists));
  const filter: ListFilter = {
    states: query.state,
    cause: query.cause,
    tags: tagsOf(query.tag),
    owner: ownerFilter(call, query.owner),
    requestId: query.requestId,
    from: query.from ?? 0,
    to: query.to ?? 0,
    below: belowOf(cursorKind, query.cursor),
    limit: query.limit,
  };
  const page = await parts.desk.list(call.service.name, filter);
  const list: RequestList = {
    requests: page.requests.map(infoOf),
    next: cursorOf(cursorKind, page.next),
  };
  answerJson(call.response, 200, list);
}

/** A query as an object; of a name that is no list the value must come once. */
export function parametersOf(
  query: string,
  isList: ReadonlySet<string>,
): Readonly<Record<string, string | string[]>> {
  // Without a prototype a parameter can't be mistaken for anything else.
  const found: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    const before = found[name];
    if (isList.has(name)) found[name] = [...(Array.isArray(before) ? before : []), value];
    else if (before === undefined) found[name] = value;
    else throw new CallMistakes([`${name.slice(0, 100)}: may come once only`]);
  }
  return found;
}

function tagsOf(pairs: readonly string[]): Tags {
  return new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

function ownerFilter({ grant }: RequestCall, asked: string | undefined): ListFilter['owner'] {
  const wanted = asked === undefined ? undefined : { name: asked === '' ? undefined : asked };
  const only = onlyOwner(grant);
  if (only === undefined) return wanted;
  if (wanted === undefined || wanted.name === only.name) return only;
  throw new PlatformError(
    'forbidden',
    `token ${only.name} sees the requests that are its own only`,
  );
}
