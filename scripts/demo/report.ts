// How the demo speaks: plain lines, aligned columns, times with their unit.

import type { Ledger, Reading } from './ledger.ts';

/** One line of the story. */
export function say(line: string): void {
  console.log(line);
}

/** The first lines of each text and what it took to get it. */
export function printReadings(readings: readonly Reading[]): void {
  for (const reading of readings) {
    const { page, text, accuracy, deliveries, waitedMs, workedMs, failure } = reading;
    const facts = [
      `waited ${seconds(waitedMs)}`,
      `read in ${seconds(workedMs)}`,
      deliveries === 1 ? '1 delivery' : `${deliveries} deliveries`,
      `${(accuracy * 100).toFixed(1)} % right`,
      ...(failure === undefined ? [] : [failure]),
    ];
    say(`\n${reading.succeeded ? '✓' : '✗'} ${page.name}  ${facts.join(' · ')}`);
    for (const line of firstLines(text)) say(`    ${line}`);
  }
}

/** What it all came to. */
export function printSummary(ledger: Ledger, readings: readonly Reading[]): void {
  const again = readings.filter(({ deliveries }) => deliveries > 1);
  say(`\naccepted ${ledger.entries.length} · answered ${ledger.answered}`);
  if (again.length > 0) {
    say(`worked on again after the kill: ${again.map(({ page }) => page.name).join(', ')}`);
  }
  say(`lost ${ledger.lost} · duplicated ${ledger.duplicated}`);
}

function firstLines(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const shown = lines.slice(0, 2).map((line) => line.slice(0, 88));
  return lines.length > shown.length ? [...shown, '...'] : shown;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '?' : `${(ms / 1000).toFixed(1)} s`;
}
