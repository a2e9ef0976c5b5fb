// Bodies of the request API: whole ones, and small ones of JSON.

import { PlatformError } from '@sluice/sdk/wire';
import type { z } from 'zod';
import { limitText } from '../limits.ts';
import { type BodyHost, type TakenBody, takeBody } from '../spill.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { checked } from './mistakes.ts';

/** Largest body of a call that is not one for a model. */
export const formBytesMax: number = 2 ** 20;

/**
 * Receives a body for the model. To be called in the turn in which the request came. Rejects when
 * it is too large or the client goes away in the middle.
 */
export function receiveBody(
  { bodies, limits, store, clock }: RequestParts,
  { request, response, service }: RequestCall,
): Promise<TakenBody> {
  const inlineBytesMax = service.queues.payloadBytesMax('input');
  const largest = store === undefined ? 0 : (service.bodyBytesMax ?? 0);
  const bytesMax = Math.max(inlineBytesMax, largest);
  const parts = { bodies, limits, host: store ?? noStore, clock };
  return takeBody(parts, request, response, { inlineBytesMax, bytesMax });
}

/** Where nothing is kept: on the engine in memory, and in tests. */
const noStore: BodyHost = {
  receive: async () => {
    throw new PlatformError('too_large', 'the body is over the payload limit of the queue');
  },
  open: async () => undefined,
  sizeOf: () => undefined,
  hold: () => () => undefined,
  mayGo: () => undefined,
};

/** Receives a body of JSON, `{}` when there is none, and checks it. */
export async function receiveJson<Schema extends z.ZodType>(
  { bodies, limits }: Pick<RequestParts, 'bodies' | 'limits'>,
  { request, response }: Pick<RequestCall, 'request' | 'response'>,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const bytes = await new Promise<Uint8Array>((resolve, reject) => {
    bodies.receive(request, response, formBytesMax, {
      done: resolve,
      refused: (why) =>
        reject(
          why.kind === 'busy'
            ? new PlatformError(
                'unavailable',
                `too many bodies arrive at once: ${limitText(limits, 'bodiesBytesMax')}`,
                { retryAfterMs: 1000 },
              )
            : new PlatformError(
                'too_large',
                `the body of this call has at most ${formBytesMax} bytes`,
              ),
        ),
    });
  });
  return checked(schema, 'the body', bytes.length === 0 ? {} : parsed(bytes));
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PlatformError('bad_request', `the body is no JSON: ${why}`);
  }
}
