// A server that a test can kill: runs the instance manager on a folder and reports on standard
// output, one JSON line for each change of its instances.

import { processSource, processWorld, wantedService } from './process-world.ts';

const [, , folder = '', text = ''] = process.argv;
const world = await processWorld({ folder });
await world.manager.start();
const source = text === '' ? processSource() : processSource({ form: 'script', text });
const terminationGraceMs = 200;
await world.manager.apply(wantedService({ source, count: 2, terminationGraceMs }));
await world.ready(2);
const pids = world.manager.status('reader').map(({ pid }) => pid);
process.stdout.write(`${JSON.stringify({ pids })}\n`);
