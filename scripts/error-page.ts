// The manual's page of error codes, made from the one table of them in the SDK. A tidy test
// compares the page with the table; `npm run docs` writes it anew.

import type { ErrorKind } from '../sdk/src/errors.ts';

const head = `# Errors

Every failure that a client of Sluice can see has one of these codes. Tell errors apart by the
code, never by their text: the text is one sentence for a person and may change.

- On the admin API an error is a problem document (\`application/problem+json\`) with the field
  \`code\`.
- On the EAS endpoints it is the status and one line of text, as EAS clients expect.
- In the SDK it is a \`PlatformError\` with \`code\`, \`status\`, \`retry\` and, where known,
  \`retryAfterMs\`.

*Retry* says whether the same call may succeed later without a change by the caller. This page is
made from the table in \`sdk/src/errors.ts\`.
`;

/** The whole page as Markdown. */
export function errorPage(kinds: Readonly<Record<string, ErrorKind>>): string {
  const rows = Object.entries(kinds)
    .sort(([, one], [, other]) => one.status - other.status)
    .map(([code, { status, retry, description }]) => {
      return `| \`${code}\` | ${status} | ${retry ? 'yes' : 'no'} | ${description} |`;
    });
  const table = ['| code | status | retry | what happened |', '| --- | --- | --- | --- |', ...rows];
  return `${head}\n${table.join('\n')}\n`;
}
