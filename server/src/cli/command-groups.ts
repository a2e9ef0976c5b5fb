// Which commands there are, by headings of the help. A command's module is loaded when it is asked
// for, so that one command does not wait for the modules of all.

import type { Command } from 'commander';
import type { Context } from './context.ts';

type Make = (context: Context) => Command;

const groups: Readonly<Record<string, Readonly<Record<string, () => Promise<Make>>>>> = {
  'Server:': {
    serve: async () => (await import('./commands/serve.ts')).serveCommand,
    attach: async () => (await import('./commands/attach.ts')).attachCommand,
    worker: async () => (await import('./commands/worker.ts')).workerCommand,
    backup: async () => (await import('./commands/backup.ts')).backupCommand,
    restore: async () => (await import('./commands/restore.ts')).restoreCommand,
    verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  },
  'Services:': {
    init: async () => (await import('./commands/init.ts')).initCommand,
    create: async () => (await import('./commands/create.ts')).createCommand,
    modify: async () => (await import('./commands/modify.ts')).modifyCommand,
    apply: async () => (await import('./commands/apply.ts')).applyCommand,
    ls: async () => (await import('./commands/ls.ts')).lsCommand,
    desc: async () => (await import('./commands/desc.ts')).descCommand,
    stop: async () => (await import('./commands/stop.ts')).stopCommand,
    start: async () => (await import('./commands/start.ts')).startCommand,
    version: async () => (await import('./commands/version.ts')).versionCommand,
    autoscale: async () => (await import('./commands/autoscale.ts')).autoscaleCommand,
    token: async () => (await import('./commands/token.ts')).tokenCommand,
    webhooks: async () => (await import('./commands/webhooks.ts')).webhooksCommand,
    reopen: async () => (await import('./commands/reopen.ts')).reopenCommand,
    delete: async () => (await import('./commands/delete.ts')).deleteCommand,
  },
  'Instances:': {
    w: async () => (await import('./commands/w.ts')).wCommand,
    dw: async () => (await import('./commands/dw.ts')).dwCommand,
    logs: async () => (await import('./commands/logs.ts')).logsCommand,
    events: async () => (await import('./commands/events.ts')).eventsCommand,
  },
  'Requests:': {
    submit: async () => (await import('./commands/submit.ts')).submitCommand,
    status: async () => (await import('./commands/status.ts')).statusCommand,
    result: async () => (await import('./commands/result.ts')).resultCommand,
    cancel: async () => (await import('./commands/cancel.ts')).cancelCommand,
    dead: async () => (await import('./commands/dead.ts')).deadCommand,
  },
  'Messages of the queues:': {
    put: async () => (await import('./commands/put.ts')).putCommand,
    get: async () => (await import('./commands/get.ts')).getCommand,
    watch: async () => (await import('./commands/watch.ts')).watchCommand,
    attrs: async () => (await import('./commands/attrs.ts')).attrsCommand,
  },
  'Models:': {
    processor: async () => (await import('./commands/processor.ts')).processorCommand,
    dev: async () => (await import('./commands/dev.ts')).devCommand,
  },
  'Trying things out:': {
    'mock-model': async () => (await import('./commands/mock-model.ts')).mockModelCommand,
  },
};

/** All commands, each under its heading; only the one called `name` if there is one. */
export async function loadCommands(
  context: Context,
  name: string | undefined,
): Promise<readonly Command[]> {
  const all = Object.entries(groups).flatMap(([heading, commands]) =>
    Object.entries(commands).map(([each, load]) => ({ heading, name: each, load })),
  );
  const named = all.filter((each) => each.name === name);
  return Promise.all(
    (named.length > 0 ? named : all).map(async ({ heading, load }) => {
      const make = await load();
      return make(context).helpGroup(heading);
    }),
  );
}
