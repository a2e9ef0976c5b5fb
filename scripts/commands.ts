// The page of the manual about the commands, made from the help that they print themselves.

import { PassThrough } from 'node:stream';
import { program } from '../server/src/cli/main.ts';
import { Output } from '../server/src/cli/output.ts';
import { systemClock } from '../server/src/kernel/clock.ts';
import { systemRandom } from '../server/src/kernel/random.ts';

const head = `# Commands

\`sluice COMMAND --help\` prints what stands here, which is made from it.

Every command but \`serve\`, \`verify\`, \`init\`, \`processor\`, \`dev\` and \`mock-model\`
speaks to a running server. It takes address and admin token from \`--url\` and \`--token\`, else
from the file of \`-c\`, else from \`SLUICE_URL\` and \`SLUICE_TOKEN\`, else from the file that a
server on loopback writes into its user's configuration folder (\`~/.config/sluice/servers\`,
readable by nobody else, removed when the server ends). Those about requests and messages are
content with a token of the service.

- Names, flags, tables and words are those of \`eascmd\` where it has them, so that what reads its
  output reads ours: \`[OK] Service is running\`, \`sluice ls | awk -F'|' '{print $2, $7}'\`.
- Results, and steps that are done (\`[OK] ...\`), go to standard output; what is waited for,
  remarks and errors go to standard error. With \`--json\` the steps go there too.
- \`--json\` makes every result JSON: one value, or for \`watch\`, \`logs\`, \`events\`, \`serve\`,
  \`mock-model\`, and \`submit\` of several files one value on each line.
- Exit codes: 0 done; 1 refused, failed, or nothing there; 2 \`--dry-run\` found something to
  change; 78 a model that cannot be used (\`processor\`); 130 ended by Ctrl-C (143 by SIGTERM); 141
  when whoever read the output has left. \`serve\`, \`processor\`, \`dev\` and \`mock-model\` end by
  Ctrl-C with 0.

These options go with every command:`;

/** The whole text of docs/commands.md. */
export async function commandPage(): Promise<string> {
  const root = await commands();
  const globals = root.options.map(({ flags, description }) => `| \`${flags}\` | ${description} |`);
  const table = ['| option | meaning |', '| --- | --- |', ...globals].join('\n');
  const groups = new Map<string, string[]>();
  for (const command of root.commands) {
    const group = command.helpGroup().replace(/:$/, '');
    groups.set(group, [...(groups.get(group) ?? []), ...sectionsOf(command, 'sluice')]);
  }
  const parts = [...groups].map(([group, texts]) => [`## ${group}`, ...texts].join('\n\n'));
  return `${[head, table, ...parts].join('\n\n')}\n`;
}

/** A command, and those that it is made of. */
function sectionsOf(command: Commands, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  const own = `### ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``;
  return [own, ...command.commands.flatMap((each) => sectionsOf(each, name))];
}

type Commands = Awaited<ReturnType<typeof program>>;

/** The program as `run` makes it, without a terminal. */
function commands(): Promise<Commands> {
  const terminal = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
  };
  return program({
    terminal,
    output: new Output(terminal),
    environment: {},
    clock: systemClock,
    random: systemRandom,
    interrupted: new AbortController().signal,
  });
}

function helpOf(command: Commands): string {
  let text = '';
  command.configureHelp({ showGlobalOptions: false, helpWidth: 96 }).configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text.trim();
}
