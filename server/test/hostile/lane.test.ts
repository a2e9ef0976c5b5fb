// The lane reads HTTP by itself. It must never see another request than node:http would see in the
// same bytes, nor cut the stream of requests elsewhere: whoever stands in front of the server, a
// proxy for one, counts on there being one reading only.

import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eachOddity, sentBytes } from './request-bytes.ts';
import { type Outcome, TwoReaders } from './two-readers.ts';

const readers = new TwoReaders();
beforeAll(() => readers.start());
afterAll(() => readers.stop());

/** How far both got with answering: what is wrong in the end cuts answers that are on their way. */
function answersOf(one: Outcome, other: Outcome): readonly number[] {
  return one.statuses.slice(0, other.statuses.length);
}

const manners = fc.record({ delays: fc.constantFrom(0, 0, 2), hurries: fc.boolean() });

it('sees in every oddity alone what node:http sees', async () => {
  const manner = { delays: 0, hurries: false };
  for (const text of eachOddity()) {
    const { lane, node } = await readers.play({ text, cuts: [] }, manner);
    expect({ text, seen: lane.seen }).toEqual({ text, seen: node.seen });
    expect({ text, answers: answersOf(lane, node) }).toEqual({
      text,
      answers: answersOf(node, lane),
    });
  }
});

it('sees in any bytes, cut anywhere, what node:http sees', async () => {
  let served = 0;
  await fc.assert(
    fc.asyncProperty(sentBytes, manners, async (sent, manner) => {
      const { lane, node } = await readers.play(sent, manner);
      served += lane.plain;
      // Behind a hasty end the lane still answers plain requests; what is not plain may be lost.
      const { length } = manner.hurries ? lane.seen : node.seen;
      expect(lane.seen).toEqual(node.seen.slice(0, length));
      expect(answersOf(lane, node)).toEqual(answersOf(node, lane));
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 25_000 },
  );
  expect(served).toBeGreaterThan(1500);
});

it('keeps no connection whose client ends in the middle of what it sent ahead', async () => {
  const lines = ['POST /api/predict/one HTTP/1.1', 'Host: localhost', 'Content-Length: 5', '', ''];
  const head = lines.join('\r\n');
  for (const rest of [
    head,
    `${head}hell`,
    'POST /api/pre',
    `GET${head.slice(4)}`,
    'no HTTP\r\n\r\n',
  ]) {
    for (const delays of [0, 2]) {
      const text = `${head}hello${rest}`;
      const { lane } = await readers.play({ text, cuts: [] }, { delays, hurries: true });
      expect(lane.seen[0]?.body).toBe('hello');
      expect(lane.statuses[0]).toBe(200);
    }
  }
});
