// The commands of the property test of the rules, and how they are drawn at random.

import * as fc from 'fast-check';

/** Numbers choose among what exists at the time, so that shrinking keeps commands meaningful. */
export type Command =
  | { readonly do: 'put'; id: number; priority: number; tag: number; isRecord: boolean }
  | ({ readonly do: 'request'; key: number; body: number; priority: number } & {
      readonly isRecord: boolean;
      readonly isDelayed: boolean;
      readonly hasStart: boolean;
      readonly hasFinish: boolean;
    })
  | { readonly do: 'cancel' | 'redrive'; nth: number }
  | { readonly do: 'sinkPut' }
  | { readonly do: 'resultPut'; nth: number }
  | { readonly do: 'watch'; slot: number; keep: number }
  | { readonly do: 'close'; slot: number; how: 'cut' | 'dead' | 'drain' }
  | { readonly do: 'complete'; nth: number; how: 'text' | 'empty' | 'failed' }
  | { readonly do: 'completeStale'; nth: number }
  | { readonly do: 'commit'; nth: number; byToken: boolean }
  | { readonly do: 'negative'; nth: number; shutdown: boolean }
  | { readonly do: 'giveBack'; nth: number; counted: boolean; delayed: boolean }
  | { readonly do: 'freed' }
  | { readonly do: 'get'; sink: boolean; from: number; length: number; del: boolean; cut: boolean }
  | { readonly do: 'delete'; sink: boolean; nth: number }
  | { readonly do: 'truncate'; sink: boolean; nth: number }
  | { readonly do: 'end'; sink: boolean; force: boolean }
  | { readonly do: 'reopen'; sink: boolean }
  | { readonly do: 'advance' }
  | { readonly do: 'crash'; keep: number }
  | { readonly do: 'capacity'; source: number; sink: number };

const small = fc.nat({ max: 7 });
const kind = <Name extends string>(name: Name) => fc.constant(name);
const queueKind = fc.boolean();

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: kind('put'),
      id: fc.nat({ max: 12 }),
      priority: fc.nat({ max: 2 }),
      tag: fc.nat({ max: 2 }),
      isRecord: fc.nat({ max: 5 }).map((drawn) => drawn === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: kind('request'),
      key: fc.nat({ max: 3 }),
      body: fc.nat({ max: 4 }).map((drawn) => Number(drawn === 0)),
      priority: fc.nat({ max: 2 }),
      isRecord: fc.boolean(),
      isDelayed: fc.nat({ max: 2 }).map((drawn) => drawn === 0),
      hasStart: fc.nat({ max: 3 }).map((drawn) => drawn === 0),
      hasFinish: fc.nat({ max: 2 }).map((drawn) => drawn === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: kind('cancel'), nth: small }) },
  { weight: 3, arbitrary: fc.record({ do: kind('redrive'), nth: small }) },
  { weight: 2, arbitrary: fc.record({ do: kind('sinkPut') }) },
  { weight: 3, arbitrary: fc.record({ do: kind('resultPut'), nth: small }) },
  { weight: 8, arbitrary: fc.record({ do: kind('watch'), slot: small, keep: small }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: kind('close'),
      slot: small,
      how: fc.constantFrom('cut', 'dead', 'dead', 'drain'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: kind('complete'),
      nth: small,
      how: fc.constantFrom('text', 'text', 'empty', 'failed'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: kind('completeStale'), nth: small }) },
  { weight: 5, arbitrary: fc.record({ do: kind('commit'), nth: small, byToken: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: kind('negative'), nth: small, shutdown: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: kind('giveBack'),
      nth: small,
      counted: fc.boolean(),
      delayed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: kind('freed') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: kind('get'),
      sink: queueKind,
      from: small,
      length: fc.integer({ min: 1, max: 3 }),
      del: fc.boolean(),
      cut: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: kind('delete'), sink: queueKind, nth: small }) },
  { weight: 1, arbitrary: fc.record({ do: kind('truncate'), sink: queueKind, nth: small }) },
  { weight: 1, arbitrary: fc.record({ do: kind('end'), sink: queueKind, force: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: kind('reopen'), sink: queueKind }) },
  { weight: 3, arbitrary: fc.record({ do: kind('advance') }) },
  { weight: 1, arbitrary: fc.record({ do: kind('crash'), keep: small }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: kind('capacity'),
      source: fc.integer({ min: 1, max: 6 }),
      sink: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

/** Time moves in steps that no deadline of the test falls on: see the settings of the test. */
export const stepMs = 20_000;
export const backOffMs = 15_000;
export const delayMs = 35_000;
export const startMs = 45_000;
export const finishMs = 25_000;
