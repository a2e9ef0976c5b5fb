// `sluice token`: shows, rotates, adds and removes the tokens of a service.

import type { AdminClient, Scope } from '@sluice/sdk';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CommandError, type Context } from '../context.ts';
import { withService } from '../services.ts';
import { table } from '../tables.ts';

interface TokenOptions {
  readonly rotate?: boolean;
  readonly add?: string;
  readonly scope?: readonly Scope[];
  readonly remove?: string;
}

const scopes: ReadonlySet<string> = new Set(['submit', 'read', 'consume', 'admin']);

export function tokenCommand(context: Context): Command {
  const command = new Command('token');
  return command
    .description('show, rotate, add or remove tokens of a service')
    .argument('<service>', 'its name')
    .addOption(new Option('--rotate', 'replace the main token').conflicts(['add', 'remove']))
    .addOption(new Option('--add <name>', 'make a further token').conflicts('remove'))
    .option('--scope <scopes>', 'what it may do: submit, read, consume, admin', parseScopes)
    .option('--remove <name>', 'refuse a token from now on')
    .addHelpText(
      'after',
      `
Examples:
  sluice token ocr                                   the main token and the names of the others
  sluice token ocr --add web --scope submit,read     a token for a web application
  sluice token ocr --rotate                          a new main token; the old one ends at once`,
    )
    .action(async (name: string, options: TokenOptions) => {
      if (options.scope !== undefined && options.add === undefined) {
        throw new CommandError('--scope goes with --add NAME');
      }
      await withService(context, command, name, async (client) => {
        if (options.add !== undefined) await add(context, client, name, options);
        else if (options.remove !== undefined) await remove(context, client, name, options.remove);
        else if (options.rotate === true) await rotate(context, client, name);
        else await show(context, client, name);
      });
    });
}

async function show(context: Context, client: AdminClient, name: string): Promise<void> {
  const [service, tokens] = await Promise.all([client.service(name), client.tokens(name)]);
  context.output.result({ service: name, token: service.token, tokens }, () => [
    service.token === '' ? `${name} is open: no token is asked for` : service.token,
    ...(tokens.length < 2
      ? []
      : [
          '',
          ...table(
            [
              { head: 'TOKEN', read: (token) => token.name },
              { head: 'SCOPES', read: (token) => token.scopes.join(', ') || 'everything' },
            ],
            tokens,
          ),
        ]),
  ]);
}

async function add(
  context: Context,
  client: AdminClient,
  name: string,
  options: TokenOptions,
): Promise<void> {
  const { add: token = '', scope } = options;
  if (scope === undefined) {
    throw new CommandError('say what the token may do: --scope submit,read,consume,admin');
  }
  const made = await client.addToken(name, token, scope);
  context.output.note(`Token ${made.name} of ${name} (${made.scopes.join(', ')}), shown once:`);
  context.output.result(made, () => [made.token]);
}

async function remove(
  context: Context,
  client: AdminClient,
  name: string,
  token: string,
): Promise<void> {
  await client.removeToken(name, token);
  context.output.result({ service: name, removed: token }, () => [
    `Token ${token} of ${name} is refused from now on`,
  ]);
}

async function rotate(context: Context, client: AdminClient, name: string): Promise<void> {
  const made = await client.rotateToken(name);
  context.output.note(`The new main token of ${name}; the old one is refused from now on:`);
  context.output.result(made, () => [made.token]);
}

function parseScopes(text: string): Scope[] {
  return text.split(',').map((word) => {
    const scope = word.trim();
    if (isScope(scope)) return scope;
    throw new InvalidArgumentError(`${scope} is none of submit, read, consume, admin`);
  });
}

function isScope(text: string): text is Scope {
  return scopes.has(text);
}
