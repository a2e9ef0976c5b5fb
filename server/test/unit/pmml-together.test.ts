// Models of different kinds in one file: what one says is an input of the next, and several vote.

import { expect, it } from 'vitest';
import { load, pmml, schema } from './pmml-documents.ts';

const clusters =
  '<ClusteringModel functionName="clustering" modelClass="centerBased" ' +
  `numberOfClusters="2">${schema('x')}<Output>` +
  '<OutputField name="group" dataType="string" optype="categorical" ' +
  'feature="predictedValue"/><OutputField name="far" dataType="double" optype="continuous" ' +
  'feature="affinity"/></Output>' +
  '<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure>' +
  '<ClusteringField field="x"/>' +
  '<Cluster id="low"><Array>0</Array></Cluster><Cluster id="high"><Array>10</Array></Cluster>' +
  '</ClusteringModel>';

const points =
  `<Scorecard functionName="regression" initialScore="100">${schema('group', 'far')}<Output>` +
  '<OutputField name="points" dataType="double" optype="continuous" feature="predictedValue"/>' +
  '<OutputField name="why" dataType="string" optype="categorical" feature="reasonCode"/></Output>' +
  '<Characteristics><Characteristic name="group" reasonCode="GROUP" baselineScore="50">' +
  '<Attribute partialScore="50">' +
  '<SimplePredicate field="group" operator="equal" value="high"/></Attribute>' +
  '<Attribute partialScore="20"><True/></Attribute></Characteristic>' +
  '<Characteristic name="far" reasonCode="FAR" baselineScore="0"><Attribute><True/>' +
  '<ComplexPartialScore><Apply function="*"><Constant dataType="double">-10</Constant>' +
  '<FieldRef field="far"/></Apply></ComplexPartialScore></Attribute></Characteristic>' +
  '</Characteristics></Scorecard>';

const link =
  '<GeneralRegressionModel functionName="regression" modelType="generalizedLinear" ' +
  `linkFunction="log">${schema('points', 'y!')}<ParameterList><Parameter name="p"/>` +
  '</ParameterList><CovariateList><Predictor name="points"/></CovariateList>' +
  '<PPMatrix><PPCell parameterName="p" predictorName="points" value="1"/></PPMatrix>' +
  '<ParamMatrix><PCell parameterName="p" beta="0.01"/></ParamMatrix></GeneralRegressionModel>';

const segments = (...models: readonly string[]): string =>
  models.map((model, at) => `<Segment id="${at + 1}"><True/>${model}</Segment>`).join('');

it('hands on clusters to a scorecard, and its points to a regression', () => {
  const predict = load(
    pmml(
      ['x:double', 'y:double'],
      `<MiningModel functionName="regression">${schema('x', 'y!')}` +
        '<Segmentation multipleModelMethod="modelChain">' +
        `${segments(clusters, points, link)}</Segmentation></MiningModel>`,
    ),
  );
  // 7 is 3 from the centre at 10: 100 + 50 - 30 points, and FAR is 30 behind its baseline.
  expect(predict({ x: 7 })).toMatchObject({
    y: expect.closeTo(Math.exp(1.2), 12),
    group: 'high',
    far: 3,
    points: 120,
    why: 'FAR',
  });
  // 100 + 20 - 10: GROUP is 30 behind, FAR 10.
  expect(predict({ x: 1 })).toMatchObject({ group: 'low', points: 110, why: 'GROUP' });
});

const categories = 'y:string(a,b)';

const bayes =
  '<NaiveBayesModel functionName="classification" threshold="0">' +
  `${schema('x')}<BayesInputs>` +
  '<BayesInput fieldName="x"><TargetValueStats><TargetValueStat value="a">' +
  '<GaussianDistribution mean="0" variance="1"/></TargetValueStat><TargetValueStat value="b">' +
  '<GaussianDistribution mean="2" variance="1"/></TargetValueStat></TargetValueStats>' +
  '</BayesInput></BayesInputs><BayesOutput fieldName="y"><TargetValueCounts>' +
  '<TargetValueCount value="a" count="1"/><TargetValueCount value="b" count="1"/>' +
  '</TargetValueCounts></BayesOutput></NaiveBayesModel>';

const logistic =
  '<GeneralRegressionModel functionName="classification" modelType="generalizedLinear" ' +
  `linkFunction="logit">${schema('x')}<ParameterList><Parameter name="p"/></ParameterList>` +
  '<CovariateList><Predictor name="x"/></CovariateList>' +
  '<PPMatrix><PPCell parameterName="p" predictorName="x" value="1"/></PPMatrix>' +
  '<ParamMatrix><PCell parameterName="p" beta="1" targetCategory="b"/></ParamMatrix>' +
  '</GeneralRegressionModel>';

const derived = (inside: string): string =>
  `<DerivedField optype="continuous" dataType="double">${inside}</DerivedField>`;

const network =
  '<NeuralNetwork functionName="classification" activationFunction="identity" ' +
  `normalizationMethod="softmax">${schema('x')}<NeuralInputs><NeuralInput id="i">` +
  `${derived('<FieldRef field="x"/>')}</NeuralInput></NeuralInputs><NeuralLayer>` +
  '<Neuron id="a" bias="3"><Con from="i" weight="0"/></Neuron>' +
  '<Neuron id="b"><Con from="i" weight="1"/></Neuron></NeuralLayer><NeuralOutputs>' +
  `<NeuralOutput outputNeuron="a">${derived('<NormDiscrete field="y" value="a"/>')}` +
  '</NeuralOutput><NeuralOutput outputNeuron="b">' +
  derived('<NormDiscrete field="y" value="b"/>') +
  '</NeuralOutput></NeuralOutputs></NeuralNetwork>';

it.each([
  // b from 1 on, from 0 on, from 3 on: two of three decide.
  ['majorityVote', [0.5, 'a'], [1.5, 'b']],
  // The mean of three logistic curves: (0.35 + 0.68 + 0.09)/3 and (0.82 + 0.85 + 0.22)/3.
  ['average', [0.7, 'a'], [1.75, 'b']],
] as const)('lets naive Bayes, a regression and a network decide by %s', (method, low, high) => {
  const predict = load(
    pmml(
      ['x:double', categories],
      `<MiningModel functionName="classification">${schema('x', 'y!')}` +
        `<Segmentation multipleModelMethod="${method}">` +
        `${segments(bayes, logistic, network)}</Segmentation></MiningModel>`,
    ),
  );
  for (const [x, y] of [low, high]) {
    const answer = predict({ x });
    expect(answer.y).toBe(y);
    if (method === 'majorityVote') continue;
    const curve = (z: number): number => 1 / (1 + Math.exp(-z));
    const b = (curve(2 * x - 2) + curve(x) + curve(x - 3)) / 3;
    expect(answer.probabilities).toEqual({
      a: expect.closeTo(1 - b, 12),
      b: expect.closeTo(b, 12),
    });
  }
});
