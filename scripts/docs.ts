// `npm run docs`: writes the generated pages of the manual.

import { writeFileSync } from 'node:fs';
import { errorKinds } from '../sdk/src/errors.ts';
import { errorPage } from './error-page.ts';

writeFileSync(new URL('../docs/errors.md', import.meta.url), errorPage(errorKinds));
