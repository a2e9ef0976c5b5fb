// The reference engine keeps the contract.

import { MemoryEngine } from '../../src/engine/memory.ts';
import { engineConformance } from './suite.ts';

engineConformance('memory', async () => {
  const engine = new MemoryEngine();
  return { engine, reopen: async () => engine, close: async () => undefined };
});
