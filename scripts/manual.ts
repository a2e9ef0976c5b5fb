// The pages of the manual that are made from the sources: errors, settings, metrics, commands. A
// tidy test compares the pages with the sources; `npm run docs` writes them anew.

import { errorKinds } from '../sdk/src/errors.ts';
import { settingDescriptions } from '../server/src/config/schema.ts';
import { limitDescriptions } from '../server/src/http/limit-table.ts';
import { metricTable } from '../server/src/kernel/telemetry.ts';
import { commandPage } from './commands.ts';

/** Every generated page: its path below docs/ and its whole text. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['errors.md', errorPage()],
    ['settings.md', settingPage()],
    ['metrics.md', metricPage()],
    ['commands.md', await commandPage()],
  ]);
}

const errorHead = `# Errors

Every failure that a client of Sluice can see has one of these codes. Tell errors apart by the
code, never by their text: the text is one sentence for a person and may change.

- On the administrative API an error is a problem document (\`application/problem+json\`) with the
  field \`code\`.
- On the EAS endpoints it is the status and one line of text, as EAS clients expect.
- In the SDK it is a \`PlatformError\` with \`code\`, \`status\`, \`retry\` and, where known,
  \`retryAfterMs\`.

*Retry* says whether the same call may succeed later without a change by the caller. This page is
made from the table in \`sdk/src/errors.ts\`.`;

function errorPage(): string {
  const rows = Object.entries(errorKinds)
    .sort(([, one], [, other]) => one.status - other.status)
    .map(([code, { status, retry, description }]) => {
      return [`\`${code}\``, String(status), retry ? 'yes' : 'no', description];
    });
  return page(errorHead, ['code', 'status', 'retry', 'what happened'], rows);
}

const settingHead = `# Settings of \`sluice serve\`

Each setting can stand in a settings file (JSON with comments, named by \`SLUICE_CONFIG\`), in the
environment, or on the command line; the later of these wins. Unknown names are errors. Lists are
given several times on the command line and separated by commas in the environment. Durations are
written like \`30s\` or \`1m30s\`. This page is made from the table in
\`server/src/config/schema.ts\`.`;

function settingPage(): string {
  const rows = settingDescriptions.map(({ key, flag, variable, fallback, sentence }) => {
    return [
      `\`${key}\``,
      flag === undefined ? '' : `\`${flag}\``,
      `\`${variable}\``,
      fallback,
      sentence,
    ];
  });
  const settings = page(
    settingHead,
    ['setting', 'flag', 'environment', 'default', 'meaning'],
    rows,
  );
  return `${settings}\n${limitSection()}`;
}

const limitHead = `## Limits

Every refusal for a limit names it and its value: \`http.pollsMax = 20000\`. The setting \`limit\`
gives these another value: \`sluice serve --limit http.pollsMax=50000 --limit http.pollMs=5000\`.
What ends in \`Ms\` is milliseconds, in \`Bytes\` or \`BytesMax\` bytes, everything else a count.
Each address of a server (\`listen\` and every \`root_queue\`) has them to itself. Limits of a queue
(payload, length, memory) belong to its service: see [service.json](service-json.md). Limits that
nothing raises are in the [protocol](protocol.md). This table is made from
\`server/src/http/limit-table.ts\`.`;

function limitSection(): string {
  const rows = limitDescriptions.map(({ name, fallback, least, most, sentence }) => {
    return [`\`${name}\``, String(fallback), String(least), String(most), sentence];
  });
  return page(limitHead, ['limit', 'default', 'least', 'most', 'meaning'], rows);
}

const metricHead = `# Metrics

\`GET /metrics\` answers in the text format of Prometheus. Units are base units; counters begin anew
when the server does. This page is made from the table in \`server/src/kernel/telemetry.ts\`.`;

function metricPage(): string {
  const rows = Object.entries(metricTable).map(([name, { kind, labels, help }]) => {
    return [`\`${name}\``, kind, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  return page(metricHead, ['name', 'kind', 'labels', 'meaning'], rows);
}

function page(
  head: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const rule = columns.map(() => '---');
  const lines = [columns, rule, ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`);
  return `${head}\n\n${lines.join('\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
