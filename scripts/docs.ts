// `npm run docs`: writes the generated pages of the manual.

import { writeFileSync } from 'node:fs';
import { generatedPages } from './manual.ts';

for (const [path, text] of await generatedPages()) {
  writeFileSync(new URL(`../docs/${path}`, import.meta.url), text);
}
