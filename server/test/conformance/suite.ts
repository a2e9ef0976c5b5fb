// What every engine has to keep, whatever it is made of. An engine joins by a file beside this
// one that calls `engineConformance` with a way to make it.

import { afterEach, beforeEach, describe } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { definitionsRules } from './definitions.ts';
import { marksRules } from './marks.ts';
import { orderRules } from './order.ts';
import { payloadsRules } from './payloads.ts';
import { recordsRules } from './records.ts';
import { rowsRules } from './rows.ts';
import { Writer } from './world.ts';

export interface EngineUnderTest {
  readonly engine: Engine;
  /** Stops the engine and starts another one on what it left. Of an engine that survives nothing:
   * the same one. */
  reopen(): Promise<Engine>;
  close(): Promise<void>;
}

/** What the rules work with; everything is new for each of them. */
export interface World {
  /** Service 7 on the engine. */
  readonly writer: Writer;
  reopen(): Promise<Engine>;
  /** The same service as a broker would see it that starts now. */
  writerAfterReopen(): Promise<Writer>;
}

export function engineConformance(name: string, make: () => Promise<EngineUnderTest>): void {
  describe(`the ${name} engine`, () => {
    let made: EngineUnderTest;
    let writer: Writer;
    beforeEach(async () => {
      made = await make();
      writer = new Writer(made.engine);
    });
    afterEach(() => made.close());

    const world: World = {
      get writer() {
        return writer;
      },
      reopen: () => made.reopen(),
      writerAfterReopen: async () => new Writer(await made.reopen(), writer.service),
    };
    rowsRules(world);
    orderRules(world);
    payloadsRules(world);
    marksRules(world);
    recordsRules(world);
    definitionsRules(world);
  });
}
