// `sluice processor`: a model server out of a model file.

import { Command, Option } from 'commander';
import { positiveNumber, wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { defaultBodyLimitMb, type ProcessorOptions, runProcessor } from '../model-server.ts';

export function processorCommand(context: Context): Command {
  return processorOptions(
    new Command('processor')
      .description('serve a model file over HTTP, without a queue')
      .argument('<kind>', 'pmml, onnx, node or python')
      .argument('<model>', 'file or folder of the model; for node and python the program'),
  )
    .addHelpText(
      'after',
      `
GET / describes the model, its input and its output; GET /health answers 200 once it is loaded;
POST / calls it. Nothing is queued: this is what Sluice itself starts for a service with
"processor". Ctrl-C waits for the calls that run. A model that cannot be used is said in one line,
with exit code 78.

Examples:
  sluice processor pmml churn.pmml
  curl -d '[{"age": 42, "plan": "basic"}]' http://127.0.0.1:9000/
  sluice processor node model.mjs --port 9001
  sluice processor python ./model --entry predict.py --config '{"threshold": 0.5}'`,
    )
    .action((kind: string, model: string, options: ProcessorOptions) =>
      runProcessor(context, { ...options, kind, path: model }),
    );
}

/** What `processor` and `dev` share. */
export function processorOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--port <port>', 'else PORT, else 9000; 0 = a free one').argParser(wholeNumber),
    )
    .option('--host <host>', 'address to listen on; else HOST, else 127.0.0.1')
    .option('--entry <file>', 'the file to use in the folder')
    .option('--code <path>', 'for node and python: the program, where <model> is only its model')
    .option('--config <json>', 'settings of the model: JSON, or a file with it')
    .addOption(
      new Option('--window <count>', 'most calls at a time').argParser(positiveNumber).default(5),
    )
    .option('--batch-size <count>', 'most rows to work on together', positiveNumber)
    .option('--batch-delay <ms>', 'how long a batch gathers, in milliseconds', wholeNumber)
    .addOption(
      new Option('--body-limit <mb>', 'largest body of a call, in MB')
        .argParser(positiveNumber)
        .default(defaultBodyLimitMb),
    );
}
