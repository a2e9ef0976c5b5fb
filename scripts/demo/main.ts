// The demo's story: start Sluice, deploy text recognition with two instances, hand in all pages,
// kill an instance while it works, and show that every page comes back once. Without `--once` the
// server stays up afterwards until Ctrl-C.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AdminClient, ApplyAnswer } from '@sluice/sdk';
import { readJournal } from './journal.ts';
import { type Killed, killAtWork } from './killing.ts';
import { Ledger, readingOf } from './ledger.ts';
import { type Page, readPages } from './pages.ts';
import { put, takeResults } from './queue.ts';
import { printReadings, printSummary, say } from './report.ts';
import { pause, type Sluice, startSluice } from './sluice.ts';

const example = new URL('../../examples/ocr/', import.meta.url);
const service = 'ocr';
const startMsMax = 60_000;
const workMsMax = 180_000;
/** Results to wait for before the kill, so that both instances are well under way. */
const resultsBeforeKill = 3;

const once = process.argv.includes('--once');
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
});

const sluice = await startSluice({ isolated: once });
let closing = '';
try {
  const told = tell(sluice);
  closing = (await Promise.race([told, interrupted.then(() => undefined)])) ?? '';
  if (!once && closing !== '') {
    say(closing);
    await stayUp(sluice);
  }
} finally {
  await sluice.stop();
}
if (once && closing !== '') say(closing);
// An interrupted story still has requests under way to a server that is gone.
process.exit(process.exitCode ?? 0);

/** Answers the closing line. */
async function tell({ url, admin }: Sluice): Promise<string> {
  say(`Sluice runs at ${url}, with the embedded engine.`);
  const applied = await deploy(admin);
  await allReady(admin);
  say('Two instances of text recognition are ready.');

  const pages = readPages(new URL('pages/', example));
  const ledger = new Ledger();
  for (const page of pages) await submit(applied, page, ledger);
  say(`${pages.length} pages are accepted: each is on disk, and the client could leave now.\n`);

  await collect(admin, applied, ledger);
  const journal = await readJournal(admin, service);
  const readings = ledger.entries.map((entry) => readingOf(entry, journal));
  printReadings(readings);
  printSummary(ledger, readings);

  const succeeded = readings.filter((reading) => reading.succeeded).length;
  if (succeeded < pages.length || ledger.lost > 0 || ledger.duplicated > 0) process.exitCode = 1;
  return `demo: ${succeeded} of ${pages.length} requests succeeded`;
}

async function deploy(admin: AdminClient): Promise<ApplyAnswer> {
  const definition = JSON.parse(readFileSync(new URL('service.json', example), 'utf8'));
  // The file names its folder as seen from the repository; the server may run anywhere.
  for (const container of definition.containers) container.work_dir = fileURLToPath(example);
  return admin.applyService(service, definition);
}

async function allReady(admin: AdminClient): Promise<void> {
  const giveUpAt = Date.now() + startMsMax;
  for (;;) {
    const { status, message } = await admin.service(service);
    if (status === 'Running') return;
    if (Date.now() > giveUpAt) throw new Error(`The instances are not ready: ${status} ${message}`);
    await pause(100);
  }
}

async function submit(applied: ApplyAnswer, page: Page, ledger: Ledger): Promise<void> {
  const endpoint = { url: applied.endpoint, token: applied.token };
  const body = { bytes: page.image, contentType: page.contentType };
  ledger.accept(page, await put(endpoint, body));
}

/** Takes results until all are there, with progress, and kills an instance on the way. */
async function collect(admin: AdminClient, applied: ApplyAnswer, ledger: Ledger): Promise<void> {
  const giveUpAt = Date.now() + workMsMax;
  const endpoint = { url: applied.endpoint, token: applied.token };
  let killed: Killed | undefined;
  let shown = -1;
  for (;;) {
    for (const result of await takeResults(endpoint)) ledger.take(result);
    if (ledger.answered !== shown) {
      shown = ledger.answered;
      const { waiting, running } = await admin.service(service);
      say(`${bar(shown, ledger.entries.length)}  ${running} being read, ${waiting} waiting`);
    }
    if (killed === undefined && ledger.answered >= resultsBeforeKill) {
      killed = await killAtWork(admin, service);
      if (killed !== undefined) say(killing(killed, ledger));
    }
    const { waiting, running, results } = await admin.service(service);
    if (waiting + running + results === 0) return;
    if (Date.now() > giveUpAt) return say('Giving up: this takes far too long.');
  }
}

function killing({ instance, pid, request }: Killed, ledger: Ledger): string {
  const page = ledger.pageOf(request)?.name ?? request;
  return `-- killed ${instance} (process ${pid}) with SIGKILL while it read ${page} --`;
}

function bar(done: number, all: number): string {
  const width = 24;
  const full = Math.round((done / all) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${done} of ${all}`;
}

async function stayUp({ url, log, process: server }: Sluice): Promise<void> {
  say(`\nSluice stays up at ${url} (its messages: ${log}).`);
  say('Try in another terminal, in this folder:');
  say('  npx --no-install sluice ls');
  say('  npx --no-install sluice put ocr examples/ocr/pages/10-poem.jpg --wait');
  say('Ctrl-C ends it.');
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await Promise.race([interrupted, ended]);
}
