// In which order files of tests run: those that take long because they wait begin before the
// others, so that none of them is left for the end, when nothing could run beside it.

import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of half a minute and more, the longest first. */
const long = [
  'chaos.test.ts',
  'slow-container.test.ts',
  'example-tesseract.test.ts',
  'container-serve.test.ts',
  'demo.test.ts',
  'cli-manners.test.ts',
  'mutations.test.ts',
  'simulation.test.ts',
];

/** The order of vitest, with the long ones of each group in front. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    return usual
      .map((file, at) => ({ file, at, group: file.project.config.sequence.groupOrder }))
      .sort((a, b) => a.group - b.group || rank(a.file) - rank(b.file) || a.at - b.at)
      .map(({ file }) => file);
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = long.indexOf(basename(moduleId));
  return at < 0 ? long.length : at;
}
