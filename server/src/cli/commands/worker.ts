// `sluice worker`: runs an instance on this machine for a service on another one.

import { Command, Option } from 'commander';
import { collectTag, duration, durationOption, positiveNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import type { WorkerOptions } from '../working.ts';

export function workerCommand(context: Context): Command {
  const command = new Command('worker')
    .description('run an instance on this machine for a service on another one')
    .requiredOption('--join <url>', 'address of the server that has the service')
    .requiredOption('--service <name>', 'the service to work for')
    .option('--token-file <file>', 'file with a token of scope consume; - reads it from the input')
    .addOption(
      new Option('--endpoint <url>', 'a model server that already runs').conflicts('command'),
    )
    .option('--command <text>', 'start the model server: one command, given its port as PORT')
    .option('--env <name=value>', "variable of the command's environment; repeatable", collectTag)
    .option('--work-dir <dir>', 'folder to start the command in (default: this one)')
    .option('--window <count>', 'requests it works on at a time', positiveNumber)
    .option('--path <path>', 'path of its inference call')
    .option('--keepalive <time>', 'longest call to it; 0 = no limit', duration)
    .option('--health-path <path>', 'GET there says whether it can work (default: its port does)')
    .addOption(
      durationOption('--grace <time>', 'from asking the command to end to ending it', '30s'),
    )
    .option('--drain-timeout <time>', 'longest wait for running requests at the end', duration)
    .option('--name <name>', 'name of the instance, one for each (default: made up)')
    .option('--data <dir>', "folder for records and output of the command's processes");
  return command
    .addHelpText(
      'after',
      `
What is not said here (window, path, keepalive and the rest of the call) is as the service says,
and follows it when that is changed. Only the worker opens connections, so it may be behind NAT; it
comes back by itself when one is lost, and goes on with what it has.

The token is one of the service with scope consume, from --token-file or SLUICE_TOKEN:
  sluice token ocr --add gpu-box --scope consume

Ctrl-C takes no more work and waits for running requests; a second one gives them back. Ends with
0 after that, and with 2 when the server refuses the worker for good: wrong token or scope, no such
service, another version of the protocol.

Examples:
  sluice worker --join https://sluice.example --service ocr --token-file ocr.token \\
    --endpoint http://127.0.0.1:9000
  sluice worker --join http://10.0.0.5:8600 --service ocr --window 2 --health-path /healthz \\
    --command 'python serve.py --port $PORT'`,
    )
    .action(async () => {
      const { work } = await import('../working.ts');
      await work(context, command.optsWithGlobals<WorkerOptions>());
    });
}
