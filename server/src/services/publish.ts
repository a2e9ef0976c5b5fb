// The schema of service.json for others: as JSON Schema for editors and checks before deployment,
// and as tables of the manual. Both are files of the repository, written by scripts/schema.ts.

import { effects } from './effects.ts';
import { expectedOf, isObject } from './fields-tree.ts';
import { fileJsonSchema } from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** The published JSON Schema: every field in the nested and in each dotted spelling. */
export function publishedSchema(): Json {
  const root = fileJsonSchema();
  if (!isObject(root)) return {};
  const { $schema, ...rest } = published(root, false);
  return {
    $schema,
    $id: 'urn:sluice:service.schema.json',
    title: 'service.json of Sluice',
    ...rest,
  };
}

function published(schema: Json, isItem: boolean): Json {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith('x-') || key === 'properties' || key === 'items') continue;
    // A required field may also stand in a dotted spelling outside of the object.
    if (key === 'required' && !(isItem && Array.isArray(value))) continue;
    if (key === 'default' && isObject(value) && Object.keys(value).length === 0) continue;
    result[key] = value;
  }
  if (Array.isArray(result.required)) result.required = onceNamed(schema, result.required);
  if (typeof schema.description === 'string') result.description = describe(schema);
  if (isObject(schema.items)) result.items = published(schema.items, true);
  if (isObject(schema.properties)) {
    result.properties = Object.fromEntries(
      places(schema.properties).map(([name, field]) => [name, published(field, false)]),
    );
  }
  return result;
}

/** `rpc`, and also `rpc.worker_threads` beside it. */
function places(properties: Json): readonly (readonly [string, Json])[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    if (!isObject(field)) return [];
    const inner = isObject(field.properties) ? places(field.properties) : [];
    const dotted = inner.map(([rest, child]) => [`${name}.${rest}`, child] as const);
    const also = typeof field['x-also'] === 'string' ? [[field['x-also'], field] as const] : [];
    return [[name, field] as const, ...also, ...dotted];
  });
}

/** Required fields that have no second name to stand under. */
function onceNamed(schema: Json, required: readonly unknown[]): readonly unknown[] {
  const { properties } = schema;
  return required.filter((name) => {
    const field = isObject(properties) ? properties[`${name}`] : undefined;
    return !isObject(field) || field['x-also'] === undefined;
  });
}

function describe(schema: Json): string {
  const parts = [`${schema.description}`];
  if (schema['x-unit'] !== undefined) parts.push(`Unit: ${schema['x-unit']}.`);
  if (schema['x-default'] !== undefined) parts.push(`Default: ${schema['x-default']}.`);
  if (schema['x-ignored'] === true) parts.push('Accepted, without effect here.');
  return parts.join(' ');
}

/** Tables of every field: value, unit, default and one sentence; then those without effect. */
export function settingsTables(): string {
  const root = fileJsonSchema();
  if (!isObject(root) || !isObject(root.properties)) return '';
  const rows = leaves(root.properties, '');
  const sections: readonly (readonly [string, (path: string) => boolean])[] = [
    [
      'The service',
      (path) => !/^(queue|containers|storage|health_check|request|retry|autoscaler)\b/.test(path),
    ],
    ['Processes and containers: `containers[]`, `storage[]`', isStarted],
    ['The call to the model', (path) => /^(request|retry)\b/.test(path)],
    ['Health: `health_check`, or `containers[].health_check`', isHealth],
    ['The queues', (path) => path.startsWith('queue.')],
    ['Scaling: `autoscaler`', (path) => path.startsWith('autoscaler.')],
  ];
  const acted = rows.filter(({ field }) => field['x-ignored'] !== true);
  const tables = sections.map(([title, belongs]) => {
    const lines = acted.filter(({ path }) => belongs(path)).map(row);
    const head = '| field | value | unit | default | meaning |\n| --- | --- | --- | --- | --- |';
    return `## ${title}\n\n${head}\n${lines.join('\n')}\n`;
  });
  const ignored = rows.filter(({ field }) => field['x-ignored'] === true);
  const lines = ignored.map(({ path, field }) => `| \`${path}\` | ${field.description} |`);
  const head = '| field | what it means in EAS |\n| --- | --- |';
  const idle = `## Accepted without effect\n\n${head}\n${lines.join('\n')}\n`;
  return [...tables, effectsTable(), idle].join('\n');
}

/** What a change of each field does to a service that runs. */
function effectsTable(): string {
  const lines = effects.map(({ fields, text }) => {
    const names = fields.map((field) => `\`${field}\``).join(', ');
    return `| ${names} | ${text} |`;
  });
  const head = '| field, or whatever is in it | what its change does to a service that runs |';
  return `## What a change does\n\n${head}\n| --- | --- |\n${lines.join('\n')}\n`;
}

const isStarted = (path: string): boolean =>
  /^(containers|storage)\b(?!.*health_check\.)/.test(path);

const isHealth = (path: string): boolean => /^health_check\./.test(path);

interface Leaf {
  readonly path: string;
  readonly field: Json;
}

function leaves(properties: Json, prefix: string): readonly Leaf[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    if (!isObject(field)) return [];
    const path = `${prefix}${name}`;
    if (isObject(field.properties)) return leaves(field.properties, `${path}.`);
    const self = { path, field };
    if (!isObject(field.items) || !isObject(field.items.properties)) return [self];
    return [self, ...leaves(field.items.properties, `${path}[].`)];
  });
}

function row({ path, field }: Leaf): string {
  const unit = field['x-unit'] ?? '';
  const cells = [
    `\`${path}\``,
    valueText(field),
    unit,
    defaultText(field),
    field.description ?? '',
  ];
  return `| ${cells.map((cell) => `${cell}`.replaceAll('|', '\\|')).join(' | ')} |`;
}

function valueText(field: Json): string {
  if (field['x-unit'] === 'duration') return 'a duration';
  if (field['x-unit'] === 'ms' || field['x-unit'] === 's') {
    return field.anyOf === undefined ? expectedOf(field) : 'a number or duration';
  }
  if (field.type === 'array' && isObject(field.items) && isObject(field.items.properties)) {
    return 'a list of objects';
  }
  if (field.type === 'object') {
    const values = field.additionalProperties;
    if (isObject(values) && values.type === undefined) return 'an object';
    return isObject(values) && values.type === 'number' ? 'numbers by name' : 'texts by name';
  }
  return expectedOf(field);
}

function defaultText(field: Json): string {
  if (field['x-default'] !== undefined) return `${field['x-default']}`;
  if (field.default === undefined) return 'none';
  return `\`${JSON.stringify(field.default)}\``;
}
