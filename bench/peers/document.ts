// Writes docs/performance.md and its plots from the findings of one run: what was compared with
// what, where, how often, and what it cost; nothing in it is written by hand.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Figure, isMet } from '../figures.ts';
import { conditions } from '../report.ts';
import { root } from '../world.ts';
import { type Chapter, chapters } from './chapters.ts';
import type { Finding, Findings } from './findings.ts';
import { type Peer, sluiceName } from './peers.ts';
import { bars, lines } from './plot.ts';
import { type ProgramName, programOf } from './programs.ts';
import { type Found, ratioShown, shown } from './report.ts';
import { postgresSettings } from './servers.ts';
import { verdictsOf } from './targets.ts';

export interface Run extends Found {
  readonly peers: readonly Peer[];
  readonly args: readonly string[];
}

/** File names below the folder of the document, and their contents. */
export type Files = ReadonlyMap<string, string>;

const plots = 'performance';

/** All files of the document. */
export function documentFiles(run: Run): Files {
  const files = new Map<string, string>();
  const parts = chapters.flatMap((chapter) => {
    const own = chapterOf(run, chapter);
    if (own === undefined) return [];
    files.set(`${plots}/${chapter.scenario}.svg`, own.plot);
    return own.text;
  });
  const text = [...head(run), ...goals(run), ...parts, ...alone(run.figures), ...peersOf(run)];
  files.set('performance.md', `${text.join('\n')}\n`);
  return files;
}

/** Writes them, over those of an earlier run. */
export function writeDocument(folder: string, files: Files): void {
  for (const [name, text] of files) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

function head({ scale, args }: Run): readonly string[] {
  const { machine, node, commit, measured_at: at } = conditions(scale);
  const { processor, cores, memory_gb: memory, system } = machine;
  return [
    '# Performance, beside other queues',
    '',
    'Sluice and other queues on the same machine in the same run, with the same payloads,',
    'each message acknowledged by itself. Every queue is warmed up by a round that does not',
    'count; the rounds that count are taken in turns, with another queue first each time.',
    'Figures are medians, then lowest to highest. A ratio is Sluice / queue: above 1 Sluice',
    'has more of it.',
    '',
    `- Machine: ${cores} x ${processor}, ${memory} GB, ${system}; everything on it, load included.`,
    `- Node ${node}, commit ${commit}, ${at.slice(0, 16)} UTC.`,
    `- ${scale.rounds} rounds of ${scale.seconds} s, ${counted(scale.waiting)} waiting messages.`,
    '- Rates drift with the machine: compare figures of one run, and ratios of several.',
    '',
    '```sh',
    `npm run bench -- ${args.join(' ')}`,
    '```',
    '',
    'How to read a row: every queue is a server in a process of its own, reached over',
    'loopback TCP by one Node process that is submitter and consumer at once. For Sluice that',
    'process uses its SDK, for the others the client that their users have; so the cost of a',
    'client counts for all of them. "CPU" is processor time for one message, of the server',
    'and of the client process. Where the two together come near the time that the cores',
    'have, the rate is bound by them.',
    '',
  ];
}

function goals({ findings }: Run): readonly string[] {
  const rows = verdictsOf(findings).map(
    ({ what, wanted, value, isMet }) =>
      `| ${what} | ${ratioShown(value) || 'not run'} | ${wanted} | ${isMet ? 'met' : 'missed'} |`,
  );
  return ['| target | found | wanted | |', '| --- | --- | --- | --- |', ...rows, ''];
}

interface ChapterText {
  readonly text: readonly string[];
  readonly plot: string;
}

/** undefined when the scenario was not part of the run. */
function chapterOf({ findings, peers }: Run, chapter: Chapter): ChapterText | undefined {
  const { scenario, title, says } = chapter;
  const isPart = (name: string): boolean => name === scenario || name.startsWith(`${scenario}/`);
  const found = peers.flatMap(({ name }) =>
    findings.found().filter((each) => each.peer === name && isPart(each.scenario)),
  );
  const missing = findings.missing().filter((each) => isPart(each.scenario));
  if (found.length === 0) return undefined;
  const text = [
    `## ${title}`,
    '',
    ...says,
    '',
    `![${title}](${plots}/${scenario}.svg)`,
    '',
    ...(chapter.plot === 'bars' ? table(peers, found) : matrix(peers, found)),
    '',
    ...missing.map((each) => `- ${each.scenario}, ${each.peer}: not run: ${each.reason}`),
    ...(missing.length > 0 ? [''] : []),
  ];
  return { text, plot: plotOf(chapter, peers, found) };
}

function plotOf(chapter: Chapter, peers: readonly Peer[], found: readonly Finding[]): string {
  const { scenario, title, unit } = chapter;
  const of = ({ name }: Peer): Finding[] => found.filter(({ peer }) => peer === name);
  const isOwn = ({ name }: Peer): boolean => name === sluiceName;
  if (chapter.plot === 'bars') {
    const all = peers.flatMap((peer) =>
      of(peer)
        .filter((each) => each.scenario === (chapter.plotted ?? scenario))
        .map(({ spread, unit: of }) => ({
          label: peer.title,
          value: spread.median,
          min: spread.min,
          max: spread.max,
          isOwn: isOwn(peer),
          text: shown(spread.median, of),
        })),
    );
    return bars(title, unit, all);
  }
  const all = peers
    .map((peer) => ({
      label: peer.title,
      isOwn: isOwn(peer),
      points: of(peer).map((each) => ({
        x: Number(each.scenario.slice(scenario.length + 1)),
        y: each.spread.median,
      })),
    }))
    .filter(({ points }) => points.length > 0);
  return lines(title, { x: chapter.x, y: unit }, all);
}

/** A row for each queue and figure; the queues of one figure follow each other. */
function table(peers: readonly Peer[], found: readonly Finding[]): readonly string[] {
  const scenarios = [...new Set(found.map(({ scenario }) => scenario))];
  const ordered = scenarios.flatMap((name) => found.filter(({ scenario }) => scenario === name));
  const rows = ordered.map((each) => {
    const { peer, scenario, unit, spread, serverUs, clientUs } = each;
    const title = peers.find(({ name }) => name === peer)?.title ?? peer;
    const part = scenario.split('/')[1];
    const cpu =
      serverUs === undefined ? '' : `${serverUs.toFixed(0)} + ${clientUs?.toFixed(0) ?? ''} us`;
    const range = `${shown(spread.min, unit)} to ${shown(spread.max, unit)}`;
    const name = part === undefined ? title : `${title}, ${part}`;
    const median = `${shown(spread.median, unit)} ${unit === '/s' ? '' : unit}`.trim();
    return `| ${name} | ${median} | ${range} | ${ratioShown(each.ratio)} | ${cpu} |`;
  });
  return ['| queue | median | spread | ratio | CPU |', '| --- | --- | --- | --- | --- |', ...rows];
}

/** A row for each queue, a column for each size. */
function matrix(peers: readonly Peer[], found: readonly Finding[]): readonly string[] {
  const scenarios = [...new Set(found.map(({ scenario }) => scenario))];
  const columns = scenarios.map((scenario) => counted(Number(scenario.split('/')[1])));
  const rows = peers.flatMap(({ name, title }) => {
    const own = found.filter(({ peer }) => peer === name);
    if (own.length === 0) return [];
    const cells = scenarios.map((scenario) => {
      const cell = own.find((each) => each.scenario === scenario);
      if (cell === undefined) return 'not run';
      const ratio = name === sluiceName ? '' : ` (${ratioShown(cell.ratio)})`;
      return `${shown(cell.spread.median, cell.unit)}${ratio}`;
    });
    return [`| ${title} | ${cells.join(' | ')} |`];
  });
  return [
    `| queue, and the ratio | ${columns.join(' | ')} |`,
    `| --- |${columns.map(() => ' --- |').join('')}`,
    ...rows,
  ];
}

function alone(figures: readonly Figure[]): readonly string[] {
  if (figures.length === 0) return [];
  const rows = figures.map((each) => {
    const { name, unit, spread, target } = each;
    const show = (value: number): string =>
      value >= 1000 ? counted(Math.round(value)) : String(Number(value.toPrecision(3)));
    const wanted =
      target === undefined ? '' : 'least' in target ? `>= ${target.least}` : `<= ${target.most}`;
    const met = isMet(each);
    const verdict = met === undefined ? '' : met ? 'met' : 'missed';
    const range = `${show(spread.min)} to ${show(spread.max)}`;
    return `| \`${name}\` | ${show(spread.median)} ${unit} | ${range} | ${wanted} | ${verdict} |`;
  });
  return [
    '## Sluice alone',
    '',
    'The figures of `npm run bench`, taken in the same run.',
    'What they are says [Figures](benchmarks.md).',
    '',
    '| figure | median | spread | target | |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

function peersOf({ peers, findings }: Run): readonly string[] {
  const rows = peers.map(({ title, durability, packages }) => {
    const used = packages.map((name) => `${name} ${versionOf(name)}`).join(', ');
    return `| ${title} | ${durability} | ${used} |`;
  });
  const settings = Object.entries(postgresSettings).map(([name, value]) => `\`${name}=${value}\``);
  return [
    '## What was measured',
    '',
    '| queue | a put is answered when the message is | clients |',
    '| --- | --- | --- |',
    ...rows,
    '',
    `Servers: ${servers()}. Redis: append-only file, no snapshots, otherwise its defaults.`,
    `PostgreSQL: ${settings.join(', ')}, otherwise its defaults; a pool of 32 connections.`,
    'JetStream: streams of kind work queue on disk, confirmed acknowledgements. pg-boss:',
    'loops of its `fetch` and `complete`, because its `work` asks for jobs twice a second.',
    'graphile-worker: local queue and batched completion; a message counts when its task has',
    'ended. BullMQ: completed jobs are removed; one worker takes 100 at a time. Results go',
    "back by the means each queue has: the job's own result (BullMQ), or a second queue.",
    ...elsewhere(findings),
  ];
}

/** What was not run of scenarios without a figure: they have no chapter to say so. */
function elsewhere(findings: Findings): readonly string[] {
  const wholeOf = (scenario: string): string => scenario.split('/')[0] ?? '';
  const known = new Set(findings.found().map(({ scenario }) => wholeOf(scenario)));
  const rest = findings.missing().filter((each) => !known.has(wholeOf(each.scenario)));
  if (rest.length === 0) return [];
  const rows = rest.map((each) => `- ${each.scenario}, ${each.peer}: not run: ${each.reason}`);
  return ['', ...new Set(rows)];
}

function servers(): string {
  const names: readonly ProgramName[] = ['redis-server', 'postgres', 'nats-server'];
  const found = names.flatMap((name) => {
    try {
      return [`${name} ${programOf(name).version}`];
    } catch {
      return [`${name} (not there)`];
    }
  });
  return found.join(', ');
}

function versionOf(name: string): string {
  const file = join(root, 'bench/peers/package.json');
  const { dependencies = {} }: { dependencies?: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  return dependencies[name] ?? '';
}

function counted(value: number): string {
  return value.toLocaleString('en-US');
}
