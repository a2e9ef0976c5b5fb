// The kind `pmml`: a file of PMML 3.0 to 4.4, compiled once, answers rows. A file that holds
// anything which isn't supported is refused here, before the first row.

import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { onlyPost, wants } from '../content.ts';
import {
  type Answer,
  type Call,
  type Description,
  type Field,
  InputError,
  type Load,
  LostError,
  ModelError,
} from '../processor.ts';
import { readRows, rowsAnswer } from '../rows.ts';
import { type Row, type RowCheck, rowsSchema } from '../validation.ts';
import { InvalidValue } from './invalid.ts';
import { parseFile } from './parse.ts';
import { answerSchema, inputFields } from './schema.ts';
import { type Answered, compileFile, type Scorer } from './scorer.ts';
import { verify } from './verification.ts';

/** How long rows are scored before other calls have their turn. */
const turnMs = 20;
/** Rows between two looks at the clock. */
const rowsPerLook = 32;

const configSchema = z.strictObject({
  /** The modelName of one of several models in the file. */
  model: z.string().optional(),
});

/** Loads a PMML file: `model` is the file, or a folder with `entry` or a single one in it. */
export const load: Load = async (options) => {
  const config = configSchema.safeParse(options.config ?? {});
  if (!config.success) {
    throw new ModelError(`model_config: ${config.error.issues[0]?.message ?? 'is not valid'}`);
  }
  const file = await fileOf(options.model, options.entry);
  const { scorer, verified } = await readModel(file, config.data.model);
  const fields = inputFields(scorer);
  return {
    description: describe(scorer, fields, verified, basename(file)),
    answer: (call) => answerRows(call, scorer, fields, options.clock),
    close: async () => undefined,
  };
};

/** Reads, compiles and verifies a file; answers also how many rows of its own proved it. */
export async function readModel(
  file: string,
  wanted?: string,
): Promise<{ readonly scorer: Scorer; readonly verified: number }> {
  const root = await parseFile(file);
  const { scorer, model } = compileFile(root, wanted);
  const verified = verify(model, scorer);
  root.refuseUnread();
  return { scorer, verified };
}

async function answerRows(
  call: Call,
  scorer: Scorer,
  fields: readonly Field[],
  clock: Clock,
): Promise<Answer> {
  onlyPost(call);
  const { shape, rows, places } = readRows(call, fields, rowCheck(fields));
  const answers: Answered[] = [];
  let since = clock.now().mono;
  for (const [at, row] of rows.entries()) {
    if (at % rowsPerLook === 0 && clock.now().mono - since > turnMs) {
      await new Promise<void>((resolve) => clock.defer(resolve));
      if (call.signal.aborted) throw new LostError('the caller has gone');
      since = clock.now().mono;
    }
    answers.push(scoreRow(scorer, row, places[at]));
  }
  const isFlat = wants(call, 'text/csv', shape === 'csv');
  if (!isFlat) return rowsAnswer(call, shape, answers, []);
  const flat = scorer.hasProbabilities ? answers.map(flattened) : answers;
  const columns = new Set(scorer.results.map(({ name }) => name));
  for (const answer of flat) for (const name of Object.keys(answer)) columns.add(name);
  return rowsAnswer(call, shape, flat, [...columns]);
}

function scoreRow(scorer: Scorer, row: Row, place: number | undefined): Answered {
  try {
    return scorer.score(row);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    const at = place === undefined ? '' : `row ${place}, `;
    const subject = error.field === undefined ? '' : `field ${error.field}: `;
    throw new InputError(`${at}${subject}${error.message}`, { field: error.field, row: place });
  }
}

// Types are the business of the fields' own treatments: a value that isn't valid may have one. A
// row that has not one of the fields is a mistake of the caller, no row of missing values.
function rowCheck(fields: readonly Field[]): RowCheck {
  const names = new Set(fields.map(({ name }) => name));
  return (row, at) => {
    const where = at === undefined ? '' : `row ${at}: `;
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw new InputError(`${where}a row is an object with the fields of the model`, { row: at });
    }
    const given = Object.entries(row);
    if (names.size > 0 && !given.some(([name]) => names.has(name))) {
      const known = [...names].slice(0, 10).join(', ');
      throw new InputError(`${where}it has no field of the model: ${known}`, { row: at });
    }
    return Object.fromEntries(given);
  };
}

/** Probabilities as columns of their own: probability(setosa). */
function flattened(answer: Answered): Answered {
  const { probabilities, ...rest } = answer;
  const columns = Object.entries(probabilities ?? {}).map(([name, value]) => [
    `probability(${name})`,
    value,
  ]);
  return { ...rest, ...Object.fromEntries(columns) };
}

function describe(
  scorer: Scorer,
  fields: readonly Field[],
  verified: number,
  fileName: string,
): Description {
  const one = answerSchema(scorer);
  return {
    kind: 'pmml',
    model: scorer.modelName ?? fileName,
    about: scorer.about,
    input: rowsSchema(fields),
    output: { oneOf: [one, { type: 'array', items: one }] },
    details: {
      pmml: scorer.version,
      element: scorer.modelElement,
      function: scorer.functionName,
      ...(scorer.application === undefined ? {} : { application: scorer.application }),
      verified_rows: verified,
    },
  };
}

async function fileOf(model: string, entry: string | undefined): Promise<string> {
  if (model === '') throw new ModelError('a PMML model needs model_path');
  const found = await stat(model).catch((cause: unknown) => {
    throw new ModelError(`${model} cannot be read`, { cause });
  });
  if (!found.isDirectory()) return model;
  const files = (await readdir(model)).filter((name) => /\.(pmml|xml)$/i.test(name)).sort();
  const [only, second] = files;
  if (entry === undefined) {
    if (only !== undefined && second === undefined) return join(model, only);
    const what = only === undefined ? 'no .pmml file' : `several files: ${files.join(', ')}`;
    throw new ModelError(`the folder of the model has ${what}; name one with model_entry`);
  }
  const folder = await realpath(model);
  const file = await realpath(join(folder, entry)).catch((cause: unknown) => {
    throw new ModelError(`the folder of the model has no ${entry}`, { cause });
  });
  if (!file.startsWith(folder + sep)) throw new ModelError(`${entry} lies outside of its folder`);
  return file;
}
