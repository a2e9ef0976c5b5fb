// Commands that name a service: what is said when there is none of that name.

import { AdminClient, PlatformError } from '@sluice/sdk';
import type { Command } from 'commander';
import { nearest } from '../services/near.ts';
import { CommandError, type Context, findServer, type ServerAddress } from './context.ts';

const namedMax = 10;

/** Runs the calls of a command about one service; a misspelt name is answered with the near one. */
export async function withService<Result>(
  context: Context,
  command: Command,
  name: string,
  run: (client: AdminClient) => Promise<Result>,
): Promise<Result> {
  const server = await findServer(context, command);
  try {
    return await run(new AdminClient(server));
  } catch (error) {
    throw await explained(error, server, name);
  }
}

/** The error with advice when it says that the service is unknown; else as it is. */
export async function explained(
  error: unknown,
  server: ServerAddress,
  name: string,
): Promise<unknown> {
  if (!(error instanceof PlatformError && error.code === 'not_found')) return error;
  // Who has only the token of a service may not list them: then the refusal stays as it is.
  const services = await new AdminClient(server).services().catch(() => undefined);
  if (services === undefined) return error;
  const names = services.map((service) => service.name);
  if (names.includes(name)) return error;
  return new CommandError(`there is no service ${name}; ${advice(name, names)}`);
}

function advice(name: string, names: readonly string[]): string {
  const meant = nearest(name, names);
  if (meant !== undefined) return `did you mean ${meant}?`;
  if (names.length === 0) return 'there is none yet: `sluice create service.json` makes one';
  const rest = names.length > namedMax ? ', ... (sluice ls)' : '';
  return `there are: ${names.slice(0, namedMax).join(', ')}${rest}`;
}
