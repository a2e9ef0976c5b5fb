// What the instances say about their work. Each writes a line when it starts on a request and one
// when it is done; Sluice keeps what they write, so that even a killed instance's lines are there.

import type { AdminClient } from '@sluice/sdk';

export interface Work {
  readonly request: string;
  readonly delivery: number;
  readonly instance: string;
  readonly startedAt: number;
  /** undefined: it never finished. */
  readonly finishedAt: number | undefined;
}

interface Line {
  readonly at: number;
  readonly event: string;
  readonly request: string;
  readonly delivery: number;
}

/** Everything that the instances of a service have begun so far, in the order of its beginning. */
export async function readJournal(admin: AdminClient, service: string): Promise<readonly Work[]> {
  const all = new Map<string, Work>();
  for (const { name } of await admin.instances(service)) {
    let text = '';
    for await (const piece of admin.logs(service, name)) text += piece;
    for (const line of text.split('\n').flatMap(parse)) {
      const key = `${line.request} ${line.delivery} ${name}`;
      const { request, delivery, at } = line;
      const known = all.get(key) ?? {
        ...{ request, delivery, instance: name, startedAt: at },
        finishedAt: undefined,
      };
      all.set(key, line.event === 'finished' ? { ...known, finishedAt: at } : known);
    }
  }
  return [...all.values()].sort((one, other) => one.startedAt - other.startedAt);
}

function parse(text: string): readonly Line[] {
  if (!text.startsWith('{')) return [];
  try {
    const line: unknown = JSON.parse(text);
    return isLine(line) ? [line] : [];
  } catch {
    return []; // A line cut in the middle by the kill.
  }
}

function isLine(line: unknown): line is Line {
  return (
    typeof line === 'object' &&
    line !== null &&
    'at' in line &&
    'event' in line &&
    'request' in line &&
    'delivery' in line
  );
}
