// The flags of the programs that developers start: `--help` says what they are, and a wrong one
// gets a line and not a stack.

import { type ParseArgsConfig, parseArgs } from 'node:util';

/** As `parseArgs`. Ends the process for `--help`, and with exit code 1 for what it does not know. */
export function readFlags<Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${usage.trim()}\n`);
    process.exit(0);
  }
  try {
    return parseArgs<Config>({ ...config, args });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    process.stderr.write(`error: ${what}\n\n${usage.trim()}\n`);
    process.exit(1);
  }
}
