// The flags of `serve`, made from the table of settings.

import { type Command, Option } from 'commander';
import type { SettingValues } from '../config/load.ts';
import { type SettingKey, settingDescriptions } from '../config/schema.ts';
import { collect } from './arguments.ts';

/** The flags of some settings, or of all that have one. */
export function serveOptions(keys?: readonly SettingKey[]): readonly Option[] {
  return settingDescriptions
    .filter((setting) => keys === undefined || keys.includes(setting.key))
    .flatMap(({ flag, key, sentence, fallback, list }) => {
      if (flag === undefined) return [];
      const value = key === 'plaintext' ? '' : ` <${valueNames[key] ?? 'value'}>`;
      const remark = fallback === 'none' ? '' : ` (default: ${fallback})`;
      const words = sentence.replace(/\.$/, '');
      const option = new Option(`${flag}${value}`, `${words}${list ? '; repeatable' : remark}`);
      return [list ? option.argParser(collect) : option];
    });
}

const valueNames: Readonly<Partial<Record<SettingKey, string>>> = {
  data: 'dir',
  listen: 'host:port',
  service: 'file',
  root_queue: 'service=host:port',
  stop_timeout: 'time',
  tls_cert: 'file',
  tls_key: 'file',
  allow_origin: 'origin',
  allow_host: 'host',
  limit: 'name=number',
  capacity: 'amounts',
  log_level: 'level',
};

/** The settings that a command line gives: `stopTimeout` of commander is `stop_timeout`. */
export function settingValues(command: Command): SettingValues {
  const options: Readonly<Record<string, unknown>> = command.opts();
  return Object.fromEntries(
    settingDescriptions.map(({ key }) => {
      const name = key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      return [key, options[name]];
    }),
  );
}
