// `sluice dev`: a model server that is loaded anew when its files change.

import { Command } from 'commander';
import type { Context } from '../context.ts';
import { type DevOptions, runDev } from '../dev-server.ts';
import { processorOptions } from './processor.ts';

export function devCommand(context: Context): Command {
  return processorOptions(
    new Command('dev')
      .description('serve a model or module while you work on it: loaded anew at each change')
      .argument('<path>', 'a .mjs, .js, .py, .pmml or .onnx file, or a folder')
      .option('--kind <kind>', 'pmml, onnx, node or python; default by the ending'),
  )
    .addHelpText(
      'after',
      `
Each call is printed with its status and time, and what was wrong with it. When a file beside it
changes, the model is loaded in a new process, which takes over once it is ready; calls that run are
finished by the old one. While it cannot be loaded, calls are answered 503 with the reason.

Examples:
  sluice dev model.mjs
  sluice dev ./model --kind python --entry predict.py --config settings.json
  curl -d '{"rooms": 3}' http://127.0.0.1:9000/`,
    )
    .action((path: string, options: DevOptions) => runDev(context, path, options));
}
