// The published schema and the manual say what the loader does.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { checkService } from '../../src/services/parse.ts';
import { publishedSchema, settingsTables } from '../../src/services/publish.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

it('publishes the schema that the loader has (else: run scripts/schema.ts)', () => {
  expect(JSON.parse(read('server/service.schema.json'))).toEqual(publishedSchema());
});

it('lists every field in the manual (else: run scripts/schema.ts)', () => {
  const [, rest = ''] = read('docs/service-json.md').split('<!-- fields begin -->\n');
  const [tables = ''] = rest.split('<!-- fields end -->');
  expect(tables.trim()).toBe(settingsTables().trim());
});

it('accepts the samples and both spellings by the published schema', () => {
  const schema = z.fromJSONSchema(JSON.parse(read('server/service.schema.json')));
  const accepts = (value: unknown): boolean => schema.safeParse(value).success;
  expect(accepts(JSON.parse(read('examples/service-json/processor.json')))).toBe(true);
  expect(accepts(JSON.parse(read('examples/service-json/image.json')))).toBe(true);
  expect(accepts({ 'metadata.rpc.worker_threads': 4 })).toBe(true);
  expect(accepts({ 'metadata.rpc.worker_threads': 0 })).toBe(false);
  expect(accepts({ metadata: { 'rpc.worker_threads': 'four' } })).toBe(false);
  expect(accepts({ queue: { max_idle: '1h30m', record: { retention: '5 days' } } })).toBe(false);
});

it('loads the example in the manual', () => {
  const example = /```jsonc\n([\s\S]*?)```/.exec(read('docs/service-json.md'))?.[1];
  const outcome = checkService(example ?? '', { strict: true, openAllowed: false });
  expect(outcome).toMatchObject({ ok: true, service: { warnings: [] } });
});
