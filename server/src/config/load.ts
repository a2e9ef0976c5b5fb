// The settings of `sluice serve`: merged from file, environment and flags (later ones win), checked
// with all mistakes shown at once, and frozen.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LogLevel } from '../kernel/log.ts';
import type { Address } from './address.ts';
import type { GivenCapacity } from './capacity.ts';
import { parseJsonc } from './jsonc.ts';
import { ConfigError } from './mistakes.ts';
import { defaultDataFolder, type Environment } from './places.ts';
import {
  checkSettings,
  type LimitSetting,
  type RootQueue,
  type SettingKey,
  type Settings,
  settingDescriptions,
} from './schema.ts';
import type { Secret } from './secret.ts';

/** What `sluice serve` runs with. Paths are absolute; frozen all the way down. */
export interface Config {
  readonly dataFolder: string;
  readonly listen: Address;
  /** Files to apply at start. */
  readonly serviceFiles: readonly string[];
  readonly engine: 'lmdb' | 'memory';
  readonly rootQueues: readonly RootQueue[];
  readonly stopTimeoutMs: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly plaintext: boolean;
  readonly allowOrigins: readonly string[];
  readonly allowHosts: readonly string[];
  /** Networks and hosts that every service may fetch its model from. */
  readonly modelAllow: readonly string[];
  /** Their names and bounds are not checked yet: the edge knows them. */
  readonly limits: readonly LimitSetting[];
  /** What the machine has for instances, as far as it is said and not measured. */
  readonly capacity: GivenCapacity;
  /** undefined: `info`, or `warn` where a person looks at a terminal. */
  readonly logLevel: LogLevel | undefined;
  readonly adminToken: Secret | undefined;
}

/** Values as a source gives them: text from flags and environment, JSON from the file. */
export type SettingValues = Readonly<Partial<Record<SettingKey, unknown>>>;

export interface ConfigSources {
  readonly flags: SettingValues;
  readonly environment: Environment;
  /** The settings file, if any; SLUICE_CONFIG stands in when it is not given. */
  readonly file: string | undefined;
}

/** Throws ConfigError. */
export function loadConfig(sources: ConfigSources): Config {
  const file = sources.file ?? nonEmpty(sources.environment.SLUICE_CONFIG);
  const values = {
    ...(file === undefined ? {} : readSettingsFile(file)),
    ...fromEnvironment(sources.environment),
    ...defined(sources.flags),
  };
  const checked = checkSettings(values);
  if (!checked.ok) throw new ConfigError(checked.mistakes);
  return freeze(toConfig(checked.settings, sources.environment));
}

function toConfig(settings: Settings, environment: Environment): Config {
  const { tls_cert, tls_key } = settings;
  return {
    dataFolder: resolve(settings.data ?? defaultDataFolder(environment)),
    listen: settings.listen,
    serviceFiles: settings.service.map((path) => resolve(path)),
    engine: settings.engine,
    rootQueues: settings.root_queue,
    stopTimeoutMs: settings.stop_timeout,
    tls:
      tls_cert === undefined || tls_key === undefined
        ? undefined
        : { certFile: resolve(tls_cert), keyFile: resolve(tls_key) },
    plaintext: settings.plaintext,
    allowOrigins: settings.allow_origin,
    allowHosts: settings.allow_host,
    modelAllow: settings.model_allow,
    limits: settings.limit,
    capacity: settings.capacity,
    logLevel: settings.log_level,
    adminToken: settings.admin_token,
  };
}

function readSettingsFile(file: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`${file}: cannot be read (${why})`]);
  }
  try {
    const value = parseJsonc(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
    throw new SyntaxError('must hold one object with settings');
  } catch (error) {
    throw new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

// An empty variable counts as not set. Names that are no setting pass: Kubernetes, for one, puts
// SLUICE_PORT and the like into every container beside a service called sluice.
function fromEnvironment(environment: Environment): SettingValues {
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const { key, variable, list } of settingDescriptions) {
    const text = nonEmpty(environment[variable]);
    if (text === undefined) continue;
    values[key] = list ? text.split(',').map((each) => each.trim()) : text;
  }
  return values;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}

function defined(values: SettingValues): SettingValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}
