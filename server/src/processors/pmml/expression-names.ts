// The names of the elements that are expressions, for those who look for one among children. Some
// of them are refused by name when they are compiled.

export const expressionElements: readonly string[] = [
  'Constant',
  'FieldRef',
  'NormContinuous',
  'NormDiscrete',
  'Discretize',
  'MapValues',
  'Apply',
  'Aggregate',
  'Lag',
  'TextIndex',
];
