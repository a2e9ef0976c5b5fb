// `sluice init`: writes a service.json that works as it is and says in comments what can be
// changed.

import { access, constants, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Command } from 'commander';
import { parseJsonc } from '../../config/jsonc.ts';
import { CommandError, type Context } from '../context.ts';
import { fileProblem } from '../file-problem.ts';

interface InitOptions {
  readonly file: string;
  readonly force?: boolean;
}

export function initCommand(context: Context): Command {
  return new Command('init')
    .description('write a service.json with comments')
    .argument('[name]', 'name of the service', 'my-service')
    .option('-o, --file <file>', 'where to write it; - is standard output', 'service.json')
    .option('--force', 'overwrite the file')
    .addHelpText(
      'after',
      `
Examples:
  sluice init ocr && sluice create service.json
  sluice init ocr --file - --json           without the comments`,
    )
    .action(async (name: string, options: InitOptions) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
        throw new CommandError(`${name} is no name: use letters, digits, dot, dash, underscore`);
      }
      const text = template(name, await ownCommand(context));
      if (options.file === '-') {
        const isJson = context.output.isJson;
        const shown = isJson ? `${JSON.stringify(parseJsonc(text), undefined, 2)}\n` : text;
        await context.output.bytes(Buffer.from(shown));
        return;
      }
      const flag = options.force === true ? 'w' : 'wx';
      await writeFile(options.file, text, { flag }).catch(refused(options.file));
      context.output.result({ file: options.file, service: name }, () => [
        `Wrote ${options.file}; change it, then: sluice create ${options.file}`,
      ]);
    });
}

function refused(file: string): (error: unknown) => never {
  return (error) => {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (exists) throw new CommandError(`${file} exists (--force overwrites it)`);
    throw new CommandError(fileProblem(file, error));
  };
}

// How this very program is started from a service: by its name where a shell would find it.
async function ownCommand(context: Context): Promise<string> {
  for (const folder of (context.environment.PATH ?? '').split(delimiter)) {
    const found = await access(join(folder, 'sluice'), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found && folder !== '' && !folder.includes('node_modules')) return 'sluice';
  }
  // What bin/sluice.js gives to Node.js is for servers.
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--max-semi-space-size'));
  return [process.execPath, ...flags, process.argv[1] ?? ''].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_/.,:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function template(name: string, sluice: string): string {
  const text = (value: string): string => JSON.stringify(value);
  return `{
  // One service: an input queue, a sink queue for the results, and the model servers in between.
  // Deploy it with: sluice create service.json
  "metadata": {
    "name": ${text(name)},
    "type": "Async",
    // How many copies of the model server run.
    "instance": 1,
    "rpc": {
      // How many requests one copy works on at a time. It is never given more.
      "worker_threads": 4,
      // Longest time for one request, in milliseconds; 0 = no limit.
      "keepalive": 600000
    }
  },

  // The model server: a command that is started for each copy. It has to listen on the address in
  // the variables HOST and PORT. This one is a mock that answers what it is sent.
  "containers": [
    {
      "command": ${text(`${sluice} mock-model --latency 200ms`)},
      "env": [{ "name": "MODEL_NAME", "value": ${text(name)} }]
    }
  ],
  // Or model servers that run already, instead of "containers":
  // "endpoint": ["http://127.0.0.1:9000"],
  // Or a model file, or a function of yours in Python or JavaScript (with "/health" below):
  // "processor": "pmml", "model_path": "model.pmml",
  // "processor": "python", "processor_path": "model.py",

  // How the model server is called.
  "request": {
    "path": "/",
    "method": "POST",
    "content_type": "application/octet-stream"
  },

  // When a copy counts as ready. Without this block: as soon as its port accepts connections.
  "health_check": {
    "http_get": { "path": "/healthz" },
    "initial_delay_seconds": 60,
    "period_seconds": 10
  },

  "queue": {
    // Deliveries of a request that may end badly before it is given up as dead.
    "max_delivery": 5,
    // Largest request and result. A larger payload means fewer places.
    "source": { "max_payload_size_kb": 1024 },
    "sink": { "max_payload_size_kb": 1024 }
  }

  // "token": a main token of your own; without it one is made. "" makes an open service, which is
  // possible while the server listens on loopback only.
}
`;
}
