// Small PMML documents for tests, put together from the parts that matter to them, and what they
// answer.

import { parseText } from '../../src/processors/pmml/parse.ts';
import { type Answered, compileFile } from '../../src/processors/pmml/scorer.ts';

/** Compiles a document, refuses what nobody read of it, and answers rows by it. */
export function load(text: string): (row: Readonly<Record<string, unknown>>) => Answered {
  const root = parseText(text);
  const { scorer } = compileFile(root, undefined);
  root.refuseUnread();
  return (row) => scorer.score(row);
}

/** A document around a model; `fields` as in `age:double`, `color:string(red,blue)`. */
export function pmml(fields: readonly string[], model: string): string {
  const dictionary = fields.map(dataField).join('');
  return (
    '<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/>' +
    `<DataDictionary>${dictionary}</DataDictionary>${model}</PMML>`
  );
}

/** A MiningSchema of these fields; the last of them is the target if it ends with `!`. */
export function schema(...names: readonly string[]): string {
  const fields = names.map((name) =>
    name.endsWith('!')
      ? `<MiningField name="${name.slice(0, -1)}" usageType="target"/>`
      : `<MiningField name="${name}"/>`,
  );
  return `<MiningSchema>${fields.join('')}</MiningSchema>`;
}

/** An Output with the probability of each category, named `p(CATEGORY)`. */
export function probabilities(...categories: readonly string[]): string {
  const fields = categories.map(
    (each) =>
      `<OutputField name="p(${each})" optype="continuous" dataType="double" ` +
      `feature="probability" value="${each}"/>`,
  );
  return `<Output>${fields.join('')}</Output>`;
}

function dataField(written: string): string {
  const [, name, type, values] = /^(\w+):(\w+)(?:\(([^)]*)\))?$/.exec(written) ?? [];
  const isText = type === 'string';
  const listed = (values ?? '').split(',').filter((value) => value !== '');
  const optype = isText || listed.length > 0 ? 'categorical' : 'continuous';
  const inside = listed.map((value) => `<Value value="${value}"/>`).join('');
  return `<DataField name="${name}" optype="${optype}" dataType="${type}">${inside}</DataField>`;
}
