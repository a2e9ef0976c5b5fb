// The settings of `sluice serve`: one table with unit, default and one sentence each. A setting
// `stop_timeout` is the key of that name in the file, SLUICE_STOP_TIMEOUT in the environment and
// --stop-timeout on the command line. The manual's page of settings is made from this table.

import { z } from 'zod';
import { allowProblem } from '../kernel/address-filter.ts';
import { type Address, isLoopback, parseAddress } from './address.ts';
import { type GivenCapacity, parseCapacity } from './capacity.ts';
import { parseDuration } from './duration.ts';
import { Secret } from './secret.ts';

export interface RootQueue {
  readonly service: string;
  readonly listen: Address;
}

/** One limit of the edge, by the name that refusals give it. Which there are knows the edge. */
export interface LimitSetting {
  readonly name: string;
  readonly value: number;
}

/** Checked and frozen. Folders and files are still as written; `load.ts` makes them absolute. */
export interface Settings {
  readonly data: string | undefined;
  readonly listen: Address;
  readonly service: readonly string[];
  readonly engine: 'lmdb' | 'memory';
  readonly root_queue: readonly RootQueue[];
  readonly stop_timeout: number;
  readonly tls_cert: string | undefined;
  readonly tls_key: string | undefined;
  readonly plaintext: boolean;
  readonly allow_origin: readonly string[];
  readonly allow_host: readonly string[];
  readonly model_allow: readonly string[];
  readonly limit: readonly LimitSetting[];
  readonly capacity: GivenCapacity;
  readonly log_level: 'error' | 'warn' | 'info' | 'debug' | undefined;
  readonly admin_token: Secret | undefined;
}

export type SettingKey = keyof Settings;

export interface SettingDescription {
  readonly key: SettingKey;
  readonly flag: string | undefined;
  readonly variable: string;
  /** How the default reads in the manual. */
  readonly fallback: string;
  readonly sentence: string;
  /** Given several times on the command line, separated by commas in the environment. */
  readonly list: boolean;
}

const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: `"${text}" is no HOST:PORT` });
  return z.NEVER;
});

const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const parsed = parseDuration(String(value));
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: `"${value}" is no duration such as 30s or 1m30s` });
  return z.NEVER;
});

const rootQueue = z.string().transform((text, context) => {
  const equals = text.indexOf('=');
  const listen = parseAddress(text.slice(equals + 1));
  if (equals > 0 && listen !== undefined) return { service: text.slice(0, equals), listen };
  context.addIssue({ code: 'custom', message: `"${text}" is no SERVICE=HOST:PORT` });
  return z.NEVER;
});

const limit = z.string().transform((text, context): LimitSetting => {
  const [, name, digits] = /^([a-z]+\.[A-Za-z]+)=(\d{1,15})$/.exec(text) ?? [];
  if (name !== undefined) return { name, value: Number(digits) };
  const example = 'http.connectionsMax=50000';
  context.addIssue({ code: 'custom', message: `"${text}" is no NAME=NUMBER such as ${example}` });
  return z.NEVER;
});

const capacity = z.string().transform((text, context): GivenCapacity => {
  const parsed = parseCapacity(text);
  if (parsed.ok) return parsed.capacity;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

const truth = z.union([
  z.boolean(),
  z.enum(['true', 'false', '1', '0']).transform((word) => word === 'true' || word === '1'),
]);

const origin = z.string().refine((text) => text === '*' || URL.canParse(text), {
  error: (issue) => `"${String(issue.input)}" is no origin such as https://app.example.com`,
});

const text = z.string().min(1, 'must not be empty');

const allowed = z.string().superRefine((entry, context) => {
  const problem = allowProblem(entry);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const schema = z.strictObject({
  data: text.optional(),
  listen: address.prefault('127.0.0.1:8600'),
  service: z.array(text).default([]),
  engine: z.enum(['lmdb', 'memory']).default('lmdb'),
  root_queue: z.array(rootQueue).default([]),
  stop_timeout: duration.prefault('30s'),
  tls_cert: text.optional(),
  tls_key: text.optional(),
  plaintext: truth.default(false),
  allow_origin: z.array(origin).default([]),
  allow_host: z.array(text).default([]),
  model_allow: z.array(allowed).default([]),
  limit: z.array(limit).default([]),
  capacity: capacity.default({}),
  log_level: z.enum(['error', 'warn', 'info', 'debug']).optional(),
  admin_token: z
    .string()
    .min(16, 'must have at least 16 characters')
    .transform((value) => new Secret(value))
    .optional(),
});

const sentences: Readonly<Record<SettingKey, readonly [fallback: string, sentence: string]>> = {
  data: ['~/.local/share/sluice', 'Folder with messages, services, logs and the admin token.'],
  listen: ['127.0.0.1:8600', 'Address to listen on; port 0 takes a free one.'],
  service: [
    'none',
    'File (service.json) to apply at start: created, updated, or left alone if equal.',
  ],
  engine: ['lmdb', 'How messages are kept: lmdb on disk, memory only while the server runs.'],
  root_queue: ['none', 'SERVICE=HOST:PORT: one service with its queues at / of an own address.'],
  stop_timeout: ['30s', 'How long a stop waits for running calls before they are given back.'],
  tls_cert: ['none', 'File with the TLS certificate chain (PEM).'],
  tls_key: ['none', 'File with the private key of the certificate (PEM).'],
  plaintext: ['false', 'Allow listening beyond loopback without TLS.'],
  allow_origin: ['none', 'Web origin that may call from a browser; * for every one.'],
  allow_host: ['none', 'Further name under which clients reach a loopback server.'],
  model_allow: [
    'none',
    'Network or host, beyond the internet, that every service may fetch its model from.',
  ],
  limit: ['none', 'NAME=NUMBER: another value for one of the limits that the manual lists.'],
  capacity: [
    'measured',
    'What the machine has for instances, as cpu=8,memory=32G,gpu=2; the rest is measured.',
  ],
  log_level: ['info; on a terminal warn', 'Least level that is logged: error, warn, info, debug.'],
  admin_token: ['made at first start', 'Admin token, instead of the one kept in the data folder.'],
};

const lists: ReadonlySet<string> = new Set([
  'service',
  'root_queue',
  'allow_origin',
  'allow_host',
  'model_allow',
  'limit',
]);

/** Secrets have no flag: a command line is visible to every user of the machine. */
const flagless: ReadonlySet<string> = new Set(['admin_token']);

/** Every setting, in the order of the manual. */
export const settingDescriptions: readonly SettingDescription[] = keys().map((key) => ({
  key,
  flag: flagless.has(key) ? undefined : `--${key.replaceAll('_', '-')}`,
  variable: `SLUICE_${key.toUpperCase()}`,
  fallback: sentences[key][0],
  sentence: sentences[key][1],
  list: lists.has(key),
}));

export type Checked =
  | { readonly ok: true; readonly settings: Settings }
  /** All of them, each beginning with the key. */
  | { readonly ok: false; readonly mistakes: readonly string[] };

/** Checks the merged values of all sources; unknown keys are mistakes. */
export function checkSettings(values: unknown): Checked {
  const parsed = schema.safeParse(values);
  if (!parsed.success) return { ok: false, mistakes: parsed.error.issues.map(showIssue) };
  const { data, tls_cert, tls_key, log_level, admin_token, ...rest } = parsed.data;
  const settings: Settings = { ...rest, data, tls_cert, tls_key, log_level, admin_token };
  const mistakes = contradictions(settings);
  return mistakes.length > 0 ? { ok: false, mistakes } : { ok: true, settings };
}

function contradictions(settings: Settings): string[] {
  const mistakes: string[] = [];
  const tls = settings.tls_cert !== undefined;
  if (tls !== (settings.tls_key !== undefined)) {
    mistakes.push('tls_cert, tls_key: give both or neither');
  }
  if (tls || settings.plaintext) return mistakes;
  const addresses = [
    ['listen', settings.listen] as const,
    ...settings.root_queue.map(({ listen }) => ['root_queue', listen] as const),
  ];
  for (const [key, { host }] of addresses) {
    if (isLoopback(host)) continue;
    mistakes.push(
      `${key}: ${host} can be reached from other machines: give --tls-cert and --tls-key, ` +
        'or --plaintext to send tokens and data unencrypted',
    );
  }
  return mistakes;
}

function showIssue(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${key}: no such setting${hint(key)}`).join('; ');
  }
  return `${path}: ${issue.message}`;
}

function hint(key: string): string {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '');
  const near = keys().find((known) => plain(known).startsWith(plain(key).slice(0, 6)));
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

function keys(): SettingKey[] {
  return Object.values(schema.keyof().enum);
}
