// `npm run soak -- hostile`: every attack of server/test/hostile at full size, ten thousand idle
// connections among them, each against a fresh server in a process of its own; and the lane against
// node:http with as many random conversations as fit the time. Prints the table that
// docs/hostile-input.md holds. `--rounds N` (4), `--seconds N` (60), `--only WORDS`.

import * as fc from 'fast-check';
import { attacks, expectService } from '../hostile/attacks.ts';
import { sentBytes } from '../hostile/request-bytes.ts';
import { TwoReaders } from '../hostile/two-readers.ts';
import { Victim } from '../hostile/victim.ts';

const rounds = Number(optionOf('--rounds') ?? 4);
const seconds = Number(optionOf('--seconds') ?? 60);
const only = optionOf('--only') ?? '';
/** Heap and buffers may rise by this much from the first round to the last. */
const riseBytesMax = 24 * 2 ** 20;

let failed = 0;
console.log('| attack | a round | before | after round 1 | after round N | resident | |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const { name, counts, round } of attacks) {
  if (!name.includes(only)) continue;
  const victim = await Victim.start();
  try {
    await expectService(victim);
    const before = await victim.measure();
    await round(victim, counts.soak, 0);
    const first = await victim.measure();
    for (let at = 1; at < rounds; at++) await round(victim, counts.soak, at);
    await expectService(victim);
    const last = await victim.measure();
    const isGood = last.usedBytes - first.usedBytes < riseBytesMax && victim.errors === '';
    if (!isGood) failed += 1;
    const used = [before, first, last].map(({ usedBytes }) => megabytes(usedBytes));
    const cells = [name, counts.soak, ...used, megabytes(last.residentBytes)];
    console.log(`| ${cells.join(' | ')} | ${isGood ? 'ok' : 'FAILED'} |`);
    if (victim.errors !== '') console.error(victim.errors);
  } catch (error) {
    failed += 1;
    console.log(`| ${name} | ${counts.soak} | | | | | FAILED |`);
    console.error(error, victim.errors);
  }
  await victim.stop();
}
if ('lane'.includes(only)) await compareReaders();
console.log(failed === 0 ? 'hostile: all survived' : `hostile: ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function compareReaders(): Promise<void> {
  const readers = new TwoReaders();
  await readers.start();
  let conversations = 0;
  let plain = 0;
  const manners = fc.record({ delays: fc.constantFrom(0, 0, 2), hurries: fc.boolean() });
  const property = fc.asyncProperty(sentBytes, manners, async (sent, manner) => {
    const { lane, node } = await readers.play(sent, manner);
    conversations += 1;
    plain += lane.plain;
    const { length } = manner.hurries ? lane.seen : node.seen;
    const wanted = node.seen.slice(0, length);
    if (JSON.stringify(lane.seen) !== JSON.stringify(wanted)) throw new Error('they differ');
  });
  const told = await fc.check(property, {
    numRuns: 10_000_000,
    interruptAfterTimeLimit: seconds * 1000,
  });
  await readers.stop();
  if (told.failed) {
    failed += 1;
    console.error(fc.defaultReportMessage(told));
  }
  console.log(`lane: ${conversations} conversations, ${plain} requests read without Node`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

function optionOf(flag: string): string | undefined {
  const at = process.argv.indexOf(flag);
  return at === -1 ? undefined : process.argv[at + 1];
}
