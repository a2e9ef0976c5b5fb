// The calls for whoever works on requests elsewhere, as data.

import type { Answer, RequestRoute } from './route.ts';
import { serveDeliveryBody, serveDeliveryResult, serveNamedBody } from './work-bodies.ts';

/** How a part of what lies in a file is answered. */
export const partAnswers: Readonly<Record<206 | 416, Answer>> = {
  206: {
    description: 'The part that was asked for.',
    content: { kind: 'bytes' },
    headers: { 'Content-Range': 'Which part, of how many bytes.' },
  },
  416: {
    description: 'There is no such part.',
    content: { kind: 'nothing' },
    headers: { 'Content-Range': 'How many bytes there are.' },
  },
};

const bodyAnswers: Readonly<Record<number, Answer>> = {
  200: {
    description: 'The body.',
    content: { kind: 'bytes' },
    headers: { 'Repr-Digest': 'The SHA-256 of the whole body, where it is known (RFC 9530).' },
  },
  ...partAnswers,
};

const rangeHeaders = {
  Range: 'A part of a body that lies in a file.',
  'If-Range': 'The `ETag` of an earlier answer.',
};

/** In the order of the manual. */
export const workRoutes: readonly RequestRoute[] = [
  {
    method: 'GET',
    path: 'deliveries/{deliveryId}/body',
    need: 'consume',
    work: 'none',
    summary: 'The body of a delivery that is not in its message',
    description: 'As long as the delivery is current; 409 `stale_delivery` once it is not.',
    headers: rangeHeaders,
    answers: bodyAnswers,
    serve: serveDeliveryBody,
  },
  {
    method: 'PUT',
    path: 'deliveries/{deliveryId}/result',
    need: 'consume',
    work: 'none',
    summary: 'Bring up a result that is larger than the sink takes',
    description:
      'Up to `requests.max_result_bytes`. The completion of the delivery names it, within a ' +
      'quarter of an hour. Repeat the call when its answer was lost.',
    body: { description: 'The result, as the model answered it.', content: { kind: 'bytes' } },
    answers: {
      201: {
        description: 'It is on stable storage.',
        content: { kind: 'json', of: 'KeptResultInfo' },
      },
    },
    serve: serveDeliveryResult,
  },
  {
    method: 'GET',
    path: 'bodies/{body}',
    need: 'consume',
    work: 'none',
    summary: 'A body by the name that a reader of a queue was told',
    headers: rangeHeaders,
    answers: bodyAnswers,
    serve: serveNamedBody,
  },
];
