// Holds every answer that a test of this level gets by `fetch` to the server's OpenAPI document.
// Answers that go on for ever are left alone; so is whatever is no server of ours.

import type { AnswerCheck } from '../answer-check.ts';

const plainFetch = globalThis.fetch;
let check: Promise<AnswerCheck> | undefined;

globalThis.fetch = async (input, init) => {
  const response = await plainFetch(input, init);
  const { pathname, search } = new URL(input instanceof Request ? input.url : String(input));
  const isWhole = response.headers.has('content-length') || response.status === 204;
  if (!pathname.startsWith('/v1/') || !isWhole) return response;
  check ??= load();
  (await check).check({
    method: init?.method ?? (input instanceof Request ? input.method : 'GET'),
    path: pathname + search,
    status: response.status,
    type: response.headers.get('content-type') ?? undefined,
    text: await response.clone().text(),
  });
  return response;
};

/** At the first answer: most tests of this level ask for none. */
async function load(): Promise<AnswerCheck> {
  const { AnswerCheck } = await import('../answer-check.ts');
  const { apiRoutes } = await import('../../src/http/api/app.ts');
  const { openApiDocument } = await import('../../src/http/api/openapi.ts');
  // Nothing is called: the routes are only described.
  const options = { administration: {} } as unknown as Parameters<typeof apiRoutes>[0];
  return new AnswerCheck(openApiDocument(apiRoutes(options), 'test'));
}
