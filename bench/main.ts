// `npm run bench`: measures the built server in a process of its own, durable, with messages of
// 1 KB, and prints a table. What each scenario does stands in its own file of bench/scenarios/.

import { parseArgs } from 'node:util';

const scenarios = ['http-put', 'stream-put', 'cycles', 'dispatch', 'million'] as const;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
  },
});
process.stdout.write(`scenarios: ${(values.only ?? scenarios).join(', ')}\n`);
