// Writes what is made from the schema of service.json: the published JSON Schema and the tables of
// the manual. After a change of the schema:
// node --conditions=source --import tsx scripts/schema.ts

import { readFileSync, writeFileSync } from 'node:fs';
import { publishedSchema, settingsTables } from '../server/src/services/publish.ts';

const schemaFile = new URL('../server/service.schema.json', import.meta.url);
writeFileSync(schemaFile, `${JSON.stringify(publishedSchema(), null, 2)}\n`);

const manual = new URL('../docs/service-json.md', import.meta.url);
const [before = '', rest = ''] = readFileSync(manual, 'utf8').split('<!-- fields begin -->\n');
const after = rest.split('<!-- fields end -->\n')[1] ?? '';
writeFileSync(
  manual,
  `${before}<!-- fields begin -->\n\n${settingsTables()}\n<!-- fields end -->\n${after}`,
);
