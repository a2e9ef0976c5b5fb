// What an apply changes, field by field, for people: + comes, - goes, ~ changes. Colour only helps
// whoever sees it; the signs say everything.

import type { ApplyAnswer, FieldChange } from '@sluice/sdk';
import { printable } from './tables.ts';

/** `+`, `-`, `~` before a service or a field; a blank before what stays. */
export type Sign = '+' | '-' | '~' | ' ';

/** One line; `sign` is what it is about, the text has it already. */
export interface DifferenceLine {
  readonly sign: Sign;
  readonly text: string;
}

/** Longest line that shows the value before and after side by side. */
const sideBySideMax = 96;

const outcomeSigns = { created: '+', updated: '~', unchanged: ' ' } as const;

const outcomeWords = { created: 'create', updated: 'change', unchanged: 'unchanged' } as const;

/** One service: what happens to it, and each of its fields that differs. */
export function differences(answer: ApplyAnswer): readonly DifferenceLine[] {
  const { name, outcome, changes, rollsOut } = answer;
  const sign = outcomeSigns[outcome];
  const remark = outcome === 'updated' && rollsOut ? ', its instances are replaced' : '';
  const head = { sign, text: `${sign} ${name}: ${outcomeWords[outcome]}${remark}` };
  return [head, ...changes.flatMap(leaves).flatMap(fieldLines)];
}

/** What comes or goes whole is shown by its fields too. */
function leaves(change: FieldChange): readonly FieldChange[] {
  const { path, before, after } = change;
  const whole = before ?? after;
  const isOneSided = (before ?? null) === null || (after ?? null) === null;
  if (!isOneSided || typeof whole !== 'object' || whole === null) return [change];
  const isList = Array.isArray(whole);
  const fields = Object.entries(whole).flatMap(([name, value]) => {
    const place = isList ? `${path}[${name}]` : `${path}.${name}`;
    const [old, young] = after === null || after === undefined ? [value, null] : [null, value];
    return leaves({ path: place, before: old, after: young });
  });
  return fields.length === 0 ? [change] : fields;
}

function fieldLines({ path, before, after }: FieldChange): readonly DifferenceLine[] {
  const place = printable(path);
  const [old, young] = [shown(before), shown(after)];
  if (old === undefined) return [{ sign: '+', text: `    + ${place}: ${young ?? 'null'}` }];
  if (young === undefined) return [{ sign: '-', text: `    - ${place}: ${old}` }];
  const line = `    ~ ${place}: ${old} -> ${young}`;
  if (line.length <= sideBySideMax) return [{ sign: '~', text: line }];
  return [
    { sign: '~', text: `    ~ ${place}:` },
    { sign: '-', text: `        - ${old}` },
    { sign: '+', text: `        + ${young}` },
  ];
}

/** JSON on one line, except that nothing is there where null stands. */
function shown(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : printable(JSON.stringify(value));
}

const colours: Readonly<Record<Sign, string>> = { '+': '32', '-': '31', '~': '33', ' ': '' };

/** The lines as they are printed, in colours where those are wanted. */
export function paint(lines: readonly DifferenceLine[], { colour }: { colour: boolean }): string[] {
  return lines.map(({ sign, text }) =>
    colour && sign !== ' ' ? `\u001b[${colours[sign]}m${text}\u001b[0m` : text,
  );
}

/** `1 to create, 2 to change, 1 to delete, 4 unchanged`. */
export function tally(answers: readonly ApplyAnswer[], deleted: number): string {
  const of = (outcome: ApplyAnswer['outcome']): number =>
    answers.filter((answer) => answer.outcome === outcome).length;
  return [
    `${of('created')} to create`,
    `${of('updated')} to change`,
    `${deleted} to delete`,
    `${of('unchanged')} unchanged`,
  ].join(', ');
}
