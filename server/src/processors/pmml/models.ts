// The kinds of models by the names of their elements. A new kind is put in here and nowhere else.

import { compileClustering } from './clustering.ts';
import { compileGeneralRegression } from './general-regression.ts';
import { compileMining } from './mining.ts';
import type { Compile } from './model.ts';
import { compileNaiveBayes } from './naive-bayes.ts';
import { compileNeuralNetwork } from './neural-network.ts';
import { compileRegression } from './regression.ts';
import { compileScorecard } from './scorecard.ts';
import { compileTree } from './tree.ts';

/** What compiles each element that is a model. */
export const models: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['ClusteringModel', compileClustering],
  ['GeneralRegressionModel', compileGeneralRegression],
  ['MiningModel', compileMining],
  ['NaiveBayesModel', compileNaiveBayes],
  ['NeuralNetwork', compileNeuralNetwork],
  ['RegressionModel', compileRegression],
  ['Scorecard', compileScorecard],
  ['TreeModel', compileTree],
]);
