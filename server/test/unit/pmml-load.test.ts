// A PMML file as a processor: what it takes and answers, what it says of itself, and which files
// it refuses.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { load } from '../../src/processors/pmml/load.ts';
import type { Call, Processor } from '../../src/processors/processor.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-pmml-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

const header =
  '<Header description="Who buys"><Application name="By hand"/></Header>' +
  '<DataDictionary><DataField name="age" optype="continuous" dataType="integer" ' +
  'displayName="Age in years"><Interval closure="closedOpen" leftMargin="0" rightMargin="150"/>' +
  '</DataField><DataField name="job" optype="categorical" dataType="string"><Value value="a"/>' +
  '<Value value="b"/></DataField><DataField name="buys" optype="categorical" dataType="string">' +
  '<Value value="yes"/><Value value="no"/></DataField></DataDictionary>';

/** 1 / (1 + e^-(age / 10 - 4 + [job is b])) */
function buying(inner = '', name = 'buying', attributes = ''): string {
  return (
    `<RegressionModel modelName="${name}" functionName="classification" ${attributes} ` +
    'normalizationMethod="logit"><MiningSchema><MiningField name="age"/>' +
    '<MiningField name="job" invalidValueTreatment="asMissing" missingValueReplacement="a"/>' +
    '<MiningField name="buys" usageType="target"/></MiningSchema>' +
    '<RegressionTable targetCategory="yes" intercept="-4">' +
    '<NumericPredictor name="age" coefficient="0.1"/>' +
    '<CategoricalPredictor name="job" value="b" coefficient="1"/></RegressionTable>' +
    `<RegressionTable targetCategory="no" intercept="0"/>${inner}</RegressionModel>`
  );
}

function file(model: string, version = '4.3'): string {
  return (
    `<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_3" version="${version}">` +
    `${header}${model}</PMML>`
  );
}

let count = 0;

async function open(content: string | Buffer, config?: unknown): Promise<Processor> {
  count += 1;
  const path = join(folder, `${count}.pmml`);
  await writeFile(path, content);
  return openPath(path, config);
}

function openPath(model: string, config?: unknown, entry?: string): Promise<Processor> {
  const surroundings = { clock: systemClock, log: silentLog, window: 1 };
  return load({ model, entry, config, code: undefined, batching: undefined, ...surroundings });
}

function call(body: string, headers: Record<string, string> = {}): Call {
  const { signal } = new AbortController();
  const query = new URLSearchParams();
  return { method: 'POST', path: '/', query, headers, body: Buffer.from(body), signal };
}

async function ask(processor: Processor, body: string, headers: Record<string, string> = {}) {
  const answer = await processor.answer(call(body, headers));
  return Buffer.from(answer.body ?? []).toString();
}

const even = { buys: 'yes', probabilities: { yes: 0.5, no: 0.5 } };

describe('rows', () => {
  it('come one or many as JSON', async () => {
    const processor = await open(file(buying()));
    expect(JSON.parse(await ask(processor, '{"age": 40}'))).toEqual(even);
    const rows = '[{"age": 40, "job": "a"}, {"age": 30, "job": "b", "more": 1}, {"job": "b"}]';
    expect(JSON.parse(await ask(processor, rows))).toEqual([
      even,
      even,
      { buys: null, probabilities: null },
    ]);
    expect(await ask(processor, '[]')).toBe('[]');
  });

  it('come as CSV and are answered so', async () => {
    const processor = await open(file(buying()));
    const csv = { 'content-type': 'text/csv' };
    expect(await ask(processor, 'job,age\na,40\nz,40\nb,\n', csv)).toBe(
      'buys,probability(yes),probability(no)\nyes,0.5,0.5\nyes,0.5,0.5\n,,\n',
    );
    const asJson = { ...csv, accept: 'application/json' };
    expect(JSON.parse(await ask(processor, 'age\n40\n', asJson))).toEqual([even]);
  });

  it('are refused with field and place', async () => {
    const processor = await open(file(buying()));
    await expect(ask(processor, '[{"age": 40}, {"age": 200}]')).rejects.toMatchObject({
      message: 'row 1, field age: 200 is not valid: 0 to 150',
      field: 'age',
      row: 1,
      status: 400,
    });
    await expect(ask(processor, '{"age": "old"}')).rejects.toThrow('field age: "old" is not valid');
    await expect(ask(processor, '{"Age": 4}')).rejects.toThrow('no field of the model: age, job');
    await expect(ask(processor, '[4]')).rejects.toThrow('row 0: a row is an object');
    const csv = { 'content-type': 'text/csv' };
    await expect(ask(processor, 'age,job\n1,a\nx,b\n', csv)).rejects.toMatchObject({
      field: 'age',
      row: 3,
    });
  });
});

describe('the description', () => {
  it('has schemas from the dictionary', async () => {
    const { description } = await open(file(buying()));
    expect(description).toMatchObject({ kind: 'pmml', model: 'buying', about: 'Who buys' });
    expect(description.details).toEqual({
      pmml: '4.3',
      element: 'RegressionModel',
      function: 'classification',
      application: 'By hand',
      verified_rows: 0,
    });
    const [row] = description.input.oneOf ?? [];
    expect(row?.properties).toEqual({
      age: {
        type: ['integer', 'null'],
        minimum: 0,
        exclusiveMaximum: 150,
        description: 'Age in years',
      },
      // Other values are no mistake: the model takes them for missing.
      job: {
        type: ['string', 'null'],
        examples: ['a', 'b'],
        description: 'A missing value counts as a',
      },
    });
    expect(description.output.oneOf?.[0]?.properties).toMatchObject({
      buys: { enum: ['yes', 'no', null] },
      probabilities: { type: ['object', 'null'] },
    });
  });
});

describe('verification', () => {
  const verified = (share: string, precision = ''): string =>
    '<ModelVerification recordCount="2" fieldCount="3"><VerificationFields>' +
    '<VerificationField field="age"/><VerificationField field="buys"/>' +
    `<VerificationField field="p" column="data:p" ${precision}/></VerificationFields>` +
    '<InlineTable xmlns:data="urn:data"><row><age>40</age><buys>yes</buys>' +
    `<data:p>0.5</data:p></row><row><age>50</age><data:p>${share}</data:p></row></InlineTable>` +
    '</ModelVerification>';
  const withOutput = (inner: string): string =>
    file(buying(inner)).replace(
      '</MiningSchema>',
      '</MiningSchema><Output><OutputField name="p" feature="probability" value="yes"/></Output>',
    );

  it('proves a model by its own rows', async () => {
    // 1 / (1 + e^-1) = 0.731058578630005
    const { description } = await open(withOutput(verified('0.7310586')));
    expect(description.details.verified_rows).toBe(2);
    const rough = withOutput(verified('0.73', 'precision="0.01"'));
    await expect(open(rough)).resolves.toBeDefined();
  });

  it('refuses a model that does not reproduce them', async () => {
    await expect(open(withOutput(verified('0.73')))).rejects.toThrow(
      'InlineTable/row[2]: verification failed: p is 0.7310585786300049, the file says 0.73',
    );
    const wrong = verified('0.7310586').replace('<buys>yes', '<buys>no');
    await expect(open(withOutput(wrong))).rejects.toThrow('buys is yes, the file says no');
    const unknown = verified('0.7310586').replace('field="p"', 'field="q"');
    await expect(open(withOutput(unknown))).rejects.toThrow('q is neither input nor result');
  });
});

describe('files', () => {
  it.each(['3.0', '3.2', '4.0', '4.1', '4.2', '4.3', '4.4'])(
    'of PMML %s are read',
    async (each) => {
      await expect(open(file(buying(), each))).resolves.toBeDefined();
    },
  );

  it('may be in other encodings', async () => {
    const text = file(buying('', 'käufer')).replace('?>', ' encoding="ISO-8859-1"?>');
    const latin = await open(Buffer.from(text, 'latin1'));
    expect(latin.description.model).toBe('käufer');
    const wide = Buffer.from(`\ufeff${file(buying('', 'käufer'))}`, 'utf16le');
    expect((await open(wide)).description.model).toBe('käufer');
    await expect(open(Buffer.from([0x3c, 0xff, 0x3e]))).rejects.toThrow('not text in the encoding');
  });

  it('with several models need a name', async () => {
    const both = file(buying('', 'one') + buying('', 'two'));
    await expect(open(both)).rejects.toThrow('name one of one, two as "model" in model_config');
    expect((await open(both, { model: 'two' })).description.model).toBe('two');
    await expect(open(both, { model: 'six' })).rejects.toThrow('it has no model six');
    await expect(open(both, { models: 'two' })).rejects.toThrow('model_config');
  });

  it('are found in folders', async () => {
    const inside = join(folder, 'model');
    await mkdir(inside);
    await expect(openPath(inside)).rejects.toThrow('no .pmml file');
    await writeFile(join(inside, 'a.pmml'), file(buying('', 'a')));
    expect((await openPath(inside)).description.model).toBe('a');
    await writeFile(join(inside, 'b.xml'), file(buying('', 'b')));
    await expect(openPath(inside)).rejects.toThrow('several files: a.pmml, b.xml');
    expect((await openPath(inside, undefined, 'b.xml')).description.model).toBe('b');
    await expect(openPath(inside, undefined, '../1.pmml')).rejects.toThrow('outside');
    await expect(openPath(inside, undefined, 'c.pmml')).rejects.toThrow('has no c.pmml');
    await expect(openPath(join(folder, 'nowhere'))).rejects.toThrow('cannot be read');
  });

  it.each([
    ['', 'not well-formed|not XML'],
    ['<PMML', 'not well-formed XML'],
    ['<PMML version="4.3">', 'not well-formed XML'],
    ['<html/>', 'no PMML: it begins with html'],
    ['<PMML version="2.1"/>', 'PMML 2.1 is not supported'],
    ['<PMML version="4.3"/>', 'DataDictionary is missing'],
    [file(''), 'it has no model'],
    [file('<SupportVectorMachineModel functionName="classification"/>'), 'not supported'],
    [file(buying('', 'x', 'isScorable="false"')), 'not scorable'],
    [file(buying('', 'x', 'colour="red"')), 'RegressionModel: the attribute colour="red"'],
    [file(buying('<Magic/>')), 'the element Magic is not supported here'],
    [file(buying('words')), 'text is not expected here'],
    [file(buying()).replace('name="age" coef', 'name="aged" coef'), 'has no field aged'],
    [file(buying()).replace('coefficient="1"', 'coefficient="1,5"'), '"1,5" is not a number'],
    [file(buying()).replace('coefficient="1"', 'coefficient="0x1f"'), '"0x1f" is not a number'],
    [file(buying()).replace('MiningField name="age"', 'MiningField name="old"'), 'no field old'],
    [file(buying()).replace('dataType="integer"', 'dataType="decimal"'), '"decimal"'],
  ])('that are wrong are refused: %#', async (content, message) => {
    await expect(open(content)).rejects.toThrow(new RegExp(message));
    await expect(open(content)).rejects.toMatchObject({ name: 'ModelError' });
  });

  it('may hold extensions of any kind', async () => {
    const extension =
      '<Extension name="a" value="b"><anything at="all">here</anything></Extension>';
    await expect(open(file(extension + buying(extension)))).resolves.toBeDefined();
  });

  it('expand no entities and nest no deeper than is sane', async () => {
    const laughs =
      '<!DOCTYPE PMML [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "/etc/hosts">]>';
    for (const entity of ['&b;', '&c;', '&unknown;']) {
      const text = `${laughs}<PMML version="4.3"><Header>${entity}</Header></PMML>`;
      await expect(open(text)).rejects.toThrow('undefined entity');
    }
    const deep = `${'<a>'.repeat(3000)}${'</a>'.repeat(3000)}`;
    await expect(open(deep)).rejects.toThrow('more than 2000 deep');
  });
});
