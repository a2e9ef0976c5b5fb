// Running a server in the foreground, for `serve` and `attach`: start with patience, say where it
// is, apply services, and stop in the order that loses nothing.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk';
import { isLoopback, showAddress } from '../config/address.ts';
import { showDuration } from '../config/duration.ts';
import { type Config, loadConfig, type SettingValues } from '../config/load.ts';
import { ConfigError } from '../config/mistakes.ts';
import { serversFolder } from '../config/places.ts';
import { removeServerFile, writeServerFile } from '../config/server-file.ts';
import { version } from '../config/version.ts';
import { startAhead } from '../engine/lmdb/ahead.ts';
import { limitMistakes } from '../http/limit-table.ts';
import { HeapRoom } from '../kernel/heap-room.ts';
import { type LogLevel, terminalLog } from '../kernel/log.ts';
import type { Platform } from '../platform.ts';
import { ServiceFileError } from '../services/parse.ts';
import { CommandError, type Context, pause, type ServerAddress } from './context.ts';
import { readDefinition } from './definitions.ts';

/** How long a busy port or folder is tried again: a predecessor may be on its way out. */
const patienceMs = 10_000;
const retryMs = 250;
const progressMs = 200;

/** Serves until interrupted; `ready` runs once the server answers. */
export async function serve(
  context: Context,
  flags: SettingValues & { readonly config?: string },
  ready: (server: ServerAddress) => Promise<void>,
): Promise<void> {
  const { config: file, ...values } = flags;
  const config = loadConfig({ flags: values, environment: context.environment, file });
  const mistakes = limitMistakes(config.limits);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const platform = await startPatiently(context, config);
  const heapRoom = new HeapRoom(context.clock);
  await heapRoom.start();
  let serverFile: string | undefined;
  const endAtOnce = (): void => {
    platform.kill();
    if (serverFile !== undefined) rmSync(serverFile, { force: true });
    process.exit(1);
  };
  try {
    const server = { url: platform.url, token: platform.adminToken.reveal() };
    if (isLoopback(config.listen.host)) {
      serverFile = await tellCommands(context, server, config);
    }
    announce(context, config, platform);
    for (const path of config.serviceFiles) await applyFile(context, platform, path);
    await ready(server).catch((error: unknown) => {
      if (!context.interrupted.aborted) throw error;
    });
    await untilInterrupted(context);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endAtOnce);
    await drain(context, config, platform);
  } finally {
    await platform.stop();
    await heapRoom.stop();
    if (serverFile !== undefined) await removeServerFile(serverFile);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, endAtOnce);
  }
  context.output.note('Stopped');
}

/** Other commands find the server by its file. Where none can be written it serves all the same. */
async function tellCommands(
  { environment, output }: Context,
  server: ServerAddress,
  config: Config,
): Promise<string | undefined> {
  const folder = serversFolder(environment);
  try {
    return await writeServerFile(folder, server);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    output.note(`remark: other commands are not told of this server (${why})`);
    const token = config.adminToken === undefined ? join(config.dataFolder, 'admin', 'token') : '';
    output.note(
      `        give them --url ${server.url} and --token${token && `, which is in ${token}`}`,
    );
    return undefined;
  }
}

async function startPatiently(context: Context, config: Config): Promise<Platform> {
  const { clock, random, output, environment } = context;
  const log = terminalLog(config.logLevel ?? usualLevel(context));
  if (config.engine === 'lmdb') startAhead(config.dataFolder);
  const { Platform } = await import('../platform.ts');
  const until = clock.now().mono + patienceMs;
  for (;;) {
    const platform = new Platform(config, { clock, random, log, environment });
    try {
      await platform.start();
      return platform;
    } catch (error) {
      await platform.stop();
      const busy = whatIsBusy(error, config);
      if (busy === undefined) throw error;
      const { what, advice } = busy;
      if (clock.now().mono >= until) throw new CommandError(`${what}; ${advice}`);
      output.progress(`${what}; waiting up to ${showDuration(patienceMs)} for it`);
    }
    await pause(context, retryMs);
  }
}

// A person at a terminal gets lines for people; whoever collects a log gets its life cycle too.
function usualLevel(context: Context): LogLevel {
  return context.terminal.stderr.isTTY === true ? 'warn' : 'info';
}

function whatIsBusy(
  error: unknown,
  config: Config,
): { readonly what: string; readonly advice: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = error.cause instanceof Error ? error.cause : error;
  if ('code' in cause && cause.code === 'EADDRINUSE') {
    const { host, port } = { host: '', port: 0, ...addressOf(cause) };
    const what = `${showAddress({ host, port })} is in use by another program`;
    return { what, advice: 'stop that one, or choose another address with --listen' };
  }
  if (!(error instanceof PlatformError && error.code === 'unavailable')) return undefined;
  const what = `The data folder ${config.dataFolder} is in use`;
  return { what, advice: 'stop the server that uses it, or choose another folder with --data' };
}

function addressOf(error: Error): { host?: string; port?: number } {
  const { address, port } = { address: '', port: 0, ...error };
  return { host: String(address), port: Number(port) };
}

function announce(context: Context, config: Config, platform: Platform): void {
  const { output } = context;
  const { url } = platform;
  const value = { url, data: config.dataFolder, engine: config.engine, version };
  output.record(value, () => [
    `Sluice ${version} on ${url}`,
    `  data    ${config.engine === 'memory' ? 'in memory, gone when it ends' : config.dataFolder}`,
    ...config.rootQueues.map(({ service }, at) => `  queue   ${service} ${platform.rootUrls[at]}/`),
  ]);
  if (!isLoopback(config.listen.host) && config.adminToken === undefined) {
    output.note(`The admin token is in ${join(config.dataFolder, 'admin', 'token')}`);
  }
  const addresses = [config.listen, ...config.rootQueues.map(({ listen }) => listen)];
  if (config.tls === undefined && addresses.some(({ host }) => !isLoopback(host))) {
    output.note(
      'WARNING: listening beyond this machine without TLS: tokens can be read on the way',
    );
  }
}

async function applyFile(context: Context, platform: Platform, path: string): Promise<void> {
  const definition = await readDefinition(context, path);
  const order = { name: undefined, definition, how: 'apply', strict: false } as const;
  const applied = await platform.administration.apply(order).catch((error: unknown) => {
    throw error instanceof ServiceFileError ? new CommandError(mistakesOf(path, error)) : error;
  });
  const { name, outcome, warnings } = applied;
  const endpoint = `${platform.url}/api/predict/${encodeURIComponent(name)}`;
  for (const warning of warnings) context.output.note(`remark: ${name}: ${warning}`);
  context.output.record({ ...applied, endpoint }, () => [
    `  service ${name} is ${outcome}: ${endpoint}`,
  ]);
}

function mistakesOf(path: string, { message, mistakes }: ServiceFileError): string {
  return [`${path}: ${message}`, ...mistakes.map((mistake) => `  ${mistake}`)].join('\n');
}

function untilInterrupted(context: Context): Promise<void> {
  const { interrupted } = context;
  if (interrupted.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Stops deliveries and waits for running requests, at most `stop_timeout`. */
async function drain(context: Context, config: Config, platform: Platform): Promise<void> {
  const { clock, output } = context;
  const isDone = platform.drain(config.stopTimeoutMs).then(() => true as const);
  const until = clock.now().mono + config.stopTimeoutMs;
  while (!(await Promise.race([isDone, tick(context)]))) {
    const running = platform.runningRequests();
    const rest = showDuration(Math.max(0, Math.ceil((until - clock.now().mono) / 1000) * 1000));
    if (running > 0) {
      const requests = running === 1 ? '1 running request' : `${running} running requests`;
      const limit = showDuration(config.stopTimeoutMs);
      const text = `Waiting for ${requests}, at most ${limit} (Ctrl-C ends at once)`;
      output.progress(text, `, ${rest} left`);
    }
  }
}

function tick({ clock }: Context): Promise<false> {
  return new Promise((resolve) => void clock.after(progressMs, () => resolve(false)));
}
