// What becomes of the values that callers give before a model sees them, and of predictions before
// callers do: data dictionary, mining schema, targets.

import { describe, expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

type Given = Readonly<Record<string, unknown>>;

/** A model that answers its only input as `out`. */
function echo(dataField: string, miningField = '<MiningField name="x"/>'): (row: Given) => unknown {
  const type = /dataType="([^"]+)"/.exec(dataField)?.[1] ?? 'string';
  const output = type.startsWith('date') && type.includes('[') ? 'integer' : type;
  const score = load(
    `<PMML version="4.4"><DataDictionary>${dataField}</DataDictionary>` +
      `<RegressionModel functionName="regression"><MiningSchema>${miningField}</MiningSchema>` +
      `<Output><OutputField name="out" feature="transformedValue" dataType="${output}">` +
      '<FieldRef field="x"/></OutputField></Output><RegressionTable intercept="0"/>' +
      '</RegressionModel></PMML>',
  );
  return (row) => score(row).out;
}

const double = '<DataField name="x" optype="continuous" dataType="double"/>';
const bounded =
  '<DataField name="x" optype="continuous" dataType="double">' +
  '<Interval closure="closedOpen" leftMargin="0" rightMargin="10"/>' +
  '<Value value="-999" property="missing"/><Value value="5" property="invalid"/></DataField>';
const color =
  '<DataField name="x" optype="categorical" dataType="string"><Value value="red"/>' +
  '<Value value="blue"/><Value value="?" property="missing"/></DataField>';

const mining = (attributes: string): string => `<MiningField name="x" ${attributes}/>`;

describe('types', () => {
  it.each([
    ['double', '2.5', 2.5],
    ['integer', '3.0', 3],
    ['float', 0.1, Math.fround(0.1)],
    ['boolean', 'true', true],
    ['boolean', 0, false],
    ['string', 1, '1'],
    ['date', '2024-02-29', '2024-02-29'],
    ['time', '17:05', '17:05:00'],
    ['dateTime', '2024-02-29 17:05:01', '2024-02-29T17:05:01'],
    // 366 days of 1960 and 31 of January 1961.
    ['dateDaysSince[1960]', '1961-02-01', 397],
    ['dateDaysSince[1960]', 397, 397],
  ])('%s takes %j', (type, given, result) => {
    expect(echo(`<DataField name="x" dataType="${type}"/>`)({ x: given })).toBe(result);
  });

  it.each([
    ['double', 'ten'],
    ['double', ''],
    ['double', [1]],
    ['integer', 2.5],
    ['boolean', 'maybe'],
    ['date', '2023-02-29'],
    ['time', '25:00'],
  ])('%s does not take %j', (type, given) => {
    const field = `<DataField name="x" dataType="${type}"/>`;
    expect(() => echo(field)({ x: given })).toThrow('is not valid');
  });
});

describe('missing values', () => {
  it('are what is not there, null, and what the dictionary says', () => {
    const of = echo(bounded, mining('missingValueReplacement="7"'));
    expect([{}, { x: null }, { x: -999 }, { x: '-999.0' }].map(of)).toEqual([7, 7, 7, 7]);
    expect(echo(color)({ x: '?' })).toBeNull();
  });

  it('are not what every object has anyway', () => {
    const fields = ['constructor:double', 'y:double'];
    const model =
      `<RegressionModel functionName="regression">${schema('constructor', 'y!')}` +
      '<RegressionTable intercept="1"><NumericPredictor name="constructor" coefficient="2"/>' +
      '</RegressionTable></RegressionModel>';
    const score = load(pmml(fields, model));
    expect(score({})).toEqual({ y: null });
    expect(score({ constructor: 3 })).toEqual({ y: 7 });
  });

  it('may be against the rules of the model', () => {
    const of = echo(double, mining('missingValueTreatment="returnInvalid"'));
    expect(() => of({})).toThrow('a value is required');
    const older = echo(double, mining('x-missingValueTreatment="returnInvalid"'));
    expect(() => older({})).toThrow('a value is required');
  });
});

describe('invalid values', () => {
  it('end the row, unless the model knows better', () => {
    expect(() => echo(bounded)({ x: 10 })).toThrow('10 is not valid: 0 to 10');
    expect(() => echo(bounded)({ x: 5 })).toThrow('5 is not valid');
    expect(() => echo(color)({ x: 'green' })).toThrow('"green" is not valid: one of red, blue');
    expect(echo(bounded)({ x: 0 })).toBe(0);
  });

  it('are kept, missing, or replaced', () => {
    expect(echo(bounded, mining('invalidValueTreatment="asIs"'))({ x: 12 })).toBe(12);
    const missing = 'invalidValueTreatment="asMissing" missingValueReplacement="3"';
    expect(echo(bounded, mining(missing))({ x: 12 })).toBe(3);
    expect(echo(bounded, mining(missing))({ x: 'none' })).toBe(3);
    const value = 'invalidValueTreatment="asValue" invalidValueReplacement="4"';
    expect(echo(bounded, mining(value))({ x: 12 })).toBe(4);
    expect(echo(color, mining('invalidValueTreatment="asIs"'))({ x: 'green' })).toBe('green');
    // What is no number at all cannot be kept as one.
    expect(() => echo(double, mining('invalidValueTreatment="asIs"'))({ x: 'a' })).toThrow('"a"');
  });
});

it('lets a mining schema name derived fields, as older files do', () => {
  const derived =
    '<TransformationDictionary><DerivedField name="twice" optype="continuous" dataType="double">' +
    '<Apply function="*"><FieldRef field="x"/><Constant>2</Constant></Apply></DerivedField>' +
    '</TransformationDictionary>';
  const score = load(
    `<PMML version="3.2"><DataDictionary>${double}</DataDictionary>${derived}` +
      '<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/>' +
      '<MiningField name="twice"/></MiningSchema><RegressionTable intercept="1">' +
      '<NumericPredictor name="twice" coefficient="10"/></RegressionTable></RegressionModel>' +
      '</PMML>',
  );
  expect(score({ x: 3 })).toEqual({ prediction: 61 });
});

it('treats outliers as the model says', () => {
  const limits = 'lowValue="0" highValue="10"';
  const extreme = echo(double, mining(`outliers="asExtremeValues" ${limits}`));
  expect([-5, 5, 15].map((x) => extreme({ x }))).toEqual([0, 5, 10]);
  const missing = echo(
    double,
    mining(`outliers="asMissingValues" missingValueReplacement="1" ${limits}`),
  );
  expect([-5, 5, 15].map((x) => missing({ x }))).toEqual([1, 5, 1]);
});

describe('targets', () => {
  const targeted = (target: string, intercept = '1.4'): ((row: Given) => unknown) => {
    const score = load(
      `<PMML version="4.4"><DataDictionary>${double}` +
        '<DataField name="y" optype="continuous" dataType="double"/></DataDictionary>' +
        '<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/>' +
        `<MiningField name="y" usageType="target"/></MiningSchema><Targets>${target}</Targets>` +
        `<RegressionTable intercept="${intercept}">` +
        '<NumericPredictor name="x" coefficient="1"/></RegressionTable>' +
        '</RegressionModel></PMML>',
    );
    return (row) => score(row).y;
  };

  it('bound first, then scale, move and round', () => {
    // 9 + 1.4 is bounded to 5; 5 * 2 - 0.6 is 9.4
    const rules = 'field="y" min="0" max="5" rescaleFactor="2" rescaleConstant="-0.6"';
    expect(targeted(`<Target ${rules}/>`)({ x: 9 })).toBeCloseTo(9.4, 12);
    expect(targeted(`<Target ${rules} castInteger="round"/>`)({ x: 9 })).toBe(9);
    expect(targeted(`<Target ${rules} castInteger="ceiling"/>`)({ x: 9 })).toBe(10);
    expect(targeted(`<Target ${rules} castInteger="floor"/>`)({ x: -9 })).toBe(-1);
  });

  it('stand in for a prediction that is missing', () => {
    const instead = '<Target field="y"><TargetValue defaultValue="6.5"/></Target>';
    expect(targeted(instead)({})).toBe(6.5);
    expect(targeted(instead)({ x: 1 })).toBe(2.4);
  });

  it('give priors where a classification has nothing to say', () => {
    const score = load(
      `<PMML version="4.4"><DataDictionary>${double}` +
        '<DataField name="y" optype="categorical" dataType="string"/></DataDictionary>' +
        '<RegressionModel functionName="classification" normalizationMethod="softmax">' +
        '<MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/>' +
        '</MiningSchema><Output><OutputField name="shown" feature="predictedDisplayValue"/>' +
        '<OutputField name="p" feature="probability" value="no"/></Output>' +
        '<Targets><Target field="y">' +
        '<TargetValue value="yes" displayValue="Yes!" priorProbability="0.7"/>' +
        '<TargetValue value="no" displayValue="No." priorProbability="0.3"/></Target></Targets>' +
        '<RegressionTable targetCategory="yes" intercept="0"><NumericPredictor name="x" ' +
        'coefficient="1"/></RegressionTable><RegressionTable targetCategory="no" intercept="0"/>' +
        '</RegressionModel></PMML>',
    );
    expect(score({})).toEqual({ y: 'yes', shown: 'Yes!', p: 0.3 });
    // 1 / (1 + e^-2)
    expect(score({ x: -2 })).toEqual({
      y: 'no',
      shown: 'No.',
      p: expect.closeTo(0.8807970779778823, 14),
    });
  });
});
