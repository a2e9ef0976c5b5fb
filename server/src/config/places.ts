// Where things are kept in the user's home when nothing else is said.

import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Messages, services and logs: `~/.local/share/sluice`. */
export function defaultDataFolder(environment: Environment): string {
  return join(base(environment, 'XDG_DATA_HOME', ['.local', 'share']), 'sluice');
}

/** Folders of workers that have joined a service elsewhere: `~/.local/share/sluice-workers`. */
export function workersFolder(environment: Environment): string {
  return join(base(environment, 'XDG_DATA_HOME', ['.local', 'share']), 'sluice-workers');
}

/** One file per running server of this user: `~/.config/sluice/servers`. */
export function serversFolder(environment: Environment): string {
  return join(base(environment, 'XDG_CONFIG_HOME', ['.config']), 'sluice', 'servers');
}

// The XDG rules say that a relative path in these variables is to be ignored.
function base(environment: Environment, name: string, fallback: readonly string[]): string {
  const chosen = environment[name];
  if (chosen !== undefined && isAbsolute(chosen)) return chosen;
  const home = environment.HOME;
  return join(home !== undefined && isAbsolute(home) ? home : homedir(), ...fallback);
}
