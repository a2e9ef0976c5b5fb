// Where a service's instances come from: servers that run already, a process, a container, a model
// file, nothing, or something that no machine of Sluice can run and that therefore stays pending.
// An image's script never becomes a process of the host.

import type { ContainerSource, InstanceSource } from '../deployment/instances.ts';
import type { ContainerFile, ServiceFile } from './file.ts';
import { checkLogin, imageProblem, unpinned } from './image.ts';
import { mountsOf } from './mounts.ts';
import { hasProcessor, processorSource } from './processor.ts';
import type { Problem } from './spelling.ts';

export interface Source {
  readonly source: InstanceSource;
  /** The path that the endpoints' addresses carry; undefined: none does. */
  readonly path: string | undefined;
  /** How many instances when the file doesn't say; undefined: it has to. */
  readonly count: number | undefined;
}

export interface SourceContext {
  readonly problems: Problem[];
  readonly warnings: string[];
}

/** Where the server of an image listens that names no port. */
const imagePort = 8000;

const none: Source = { source: { kind: 'none' }, path: undefined, count: undefined };

/** The one source that the file declares; mistakes and warnings go to the context's lists. */
export function sourceOf(file: ServiceFile, context: SourceContext): Source {
  const { problems } = context;
  const declared: string[] = [];
  if (file.endpoint !== undefined) declared.push('endpoint');
  if (file.containers !== undefined) declared.push('containers');
  if (hasProcessor(file)) declared.push('a processor');
  if (declared.length > 1) {
    problems.push({
      path: declared[0] ?? '',
      message: `one way to have instances is possible; ${declared.join(' and ')} are declared`,
    });
  }
  if (file.endpoint !== undefined) return endpointSource(file.endpoint, problems);
  if (file.containers !== undefined) return startedSource(file, context);
  if (!hasProcessor(file)) return none;
  return { source: processorSource(file, problems), path: undefined, count: undefined };
}

function endpointSource(given: string | readonly string[], problems: Problem[]): Source {
  const list = typeof given === 'string' ? [given] : given;
  const origins: string[] = [];
  const paths = new Set<string>();
  for (const [at, text] of list.entries()) {
    const path = typeof given === 'string' ? 'endpoint' : `endpoint[${at}]`;
    const url = endpointUrl(text);
    if (typeof url === 'string') {
      problems.push({ path, message: url });
      continue;
    }
    if (origins.includes(url.origin)) problems.push({ path, message: 'names a server twice' });
    origins.push(url.origin);
    paths.add(url.pathname);
  }
  if (paths.size > 1) {
    problems.push({ path: 'endpoint', message: 'all servers of a service must have one path' });
  }
  const [path] = paths;
  return {
    source: { kind: 'endpoint', urls: origins },
    path: path === '/' ? undefined : path,
    count: list.length,
  };
}

/** The URL, or what is wrong with it. */
function endpointUrl(text: string): URL | string {
  if (!URL.canParse(text)) return `must be a URL such as http://127.0.0.1:9000, not "${text}"`;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http or https';
  if (url.username !== '' || url.password !== '') return 'must hold no user and password';
  if (url.search !== '' || url.hash !== '') return 'must hold no ? and #';
  return url;
}

function startedSource(file: ServiceFile, context: SourceContext): Source {
  const { problems } = context;
  const containers = file.containers ?? [];
  containers.forEach((container, at) => {
    checkContainer(container, `containers[${at}]`, problems);
  });
  const hasImage = containers.some(({ image }) => image !== undefined);
  const what = hasImage ? 'containers' : 'processes';
  const several = `${containers.length} ${what} for one instance`;
  if (containers.length > 1 && hasImage) {
    return pending(`${several}: this Sluice starts one; put them in one image, or make services`);
  }
  if (containers.length > 1) {
    problems.push({ path: 'containers', message: `${several} are not possible; declare one` });
  }
  if (hasImage) return containerSource(file, containers[0], context);
  return { source: processSource(containers[0], problems), path: undefined, count: undefined };
}

function containerSource(
  file: ServiceFile,
  container: ContainerFile | undefined,
  { problems, warnings }: SourceContext,
): Source {
  const { image = '', command, script, port = 0, work_dir: workDir } = container ?? {};
  const problem = imageProblem(image);
  if (problem !== undefined) problems.push({ path: 'containers[0].image', message: problem });
  const loose = problem === undefined ? unpinned(image) : undefined;
  if (loose !== undefined) warnings.push(`containers[0].image: ${loose}`);
  if (port === 0) {
    warnings.push(
      `containers[0].port: is not given; the server in the image has to listen on ${imagePort}, ` +
        'which it is told as PORT',
    );
  }
  const env = environment(container, problems);
  const { mounts, missing } = mountsOf(file.storage, problems);
  checkLogin(file.dockerAuth, problems);
  if (missing !== undefined) return pending(missing);
  const source: InstanceSource = {
    kind: 'container',
    image,
    run: runOf(command, script),
    port: port === 0 ? imagePort : port,
    env,
    workDir,
    mounts,
    shmBytes: Math.round(file.metadata.shm_size * 2 ** 30),
    dockerAuth: file.dockerAuth === '' ? undefined : file.dockerAuth,
  };
  return { source, path: undefined, count: undefined };
}

function runOf(
  command: ContainerFile['command'],
  script: string | undefined,
): ContainerSource['run'] {
  if (script !== undefined) return { form: 'script', text: script };
  return typeof command === 'string' ? { form: 'command', text: command } : command;
}

function checkContainer(container: ContainerFile, path: string, problems: Problem[]): void {
  const { command, script, image } = container;
  if (command !== undefined && script !== undefined) {
    problems.push({ path: `${path}.script`, message: "can't stand together with command" });
  }
  if (command === undefined && script === undefined && image === undefined) {
    problems.push({ path, message: 'needs command or script (or image)' });
  }
  if ([command, script].some((text) => text !== undefined && isBlank(text))) {
    problems.push({ path, message: 'command or script is blank' });
  }
}

const isBlank = (text: string | readonly string[]): boolean =>
  typeof text === 'string' ? text.trim() === '' : (text[0] ?? '') === '';

function processSource(container: ContainerFile | undefined, problems: Problem[]): InstanceSource {
  const { command, script } = container ?? {};
  return {
    kind: 'process',
    form: script === undefined ? 'command' : 'script',
    text: script ?? (typeof command === 'string' ? command : (command ?? []).map(quoted).join(' ')),
    port: container?.port ?? 0,
    env: environment(container, problems),
    workDir: container?.work_dir,
  };
}

/** One word of shell that means exactly `word`: `it's` is `'it'\''s'`. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function environment(
  container: ContainerFile | undefined,
  problems: Problem[],
): Readonly<Record<string, string>> {
  const entries = new Map<string, string>();
  for (const [at, { name, value }] of (container?.env ?? []).entries()) {
    const path = `containers[0].env[${at}]`;
    if (name === 'PORT' || name === 'HOST') {
      problems.push({ path, message: `${name} is set by Sluice; the port is containers[0].port` });
    }
    if (value.includes('\0')) problems.push({ path, message: 'must hold no zero byte' });
    if (entries.has(name)) problems.push({ path, message: `${name} is given twice` });
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}

function pending(missing: string): Source {
  return { source: { kind: 'pending', missing }, path: undefined, count: undefined };
}
