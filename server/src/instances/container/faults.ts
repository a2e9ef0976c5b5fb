// What the Docker Engine answers when something goes wrong, in the words of somebody who wrote a
// service.json. The engine's own sentences are kept where they say more than ours would.

/** One failed call to the engine. */
export interface Fault {
  /** undefined: it did not answer at all. */
  readonly status: number | undefined;
  /** The system's word for why it did not. */
  readonly code: string | undefined;
  /** What it said, without decoration. */
  readonly text: string;
}

/** Why a copy cannot be started, as the end of a sentence. */
export interface Refusal {
  readonly text: string;
  /** Trying again cannot help: what was declared is wrong. */
  readonly isFinal: boolean;
  /** Somebody does not answer now: that says nothing about what was declared. */
  readonly isOutside?: boolean;
}

const textMax = 400;

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { status: undefined, code: undefined, text: String(error) };
  const status = 'statusCode' in error ? Number(error.statusCode) : undefined;
  const isLate = error.name === 'AbortError';
  const named = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const code = isLate ? 'ETIMEDOUT' : named;
  const json: unknown = 'json' in error ? error.json : undefined;
  const said = typeof json === 'object' && json !== null && 'message' in json ? json.message : '';
  // The client puts "(HTTP code 404) no such container - " in front.
  const text = typeof said === 'string' && said !== '' ? said : plain(error.message);
  return { status, code, text: text.trim() };
}

export function isMissing(error: unknown): boolean {
  return faultOf(error).status === 404;
}

/** Why the engine cannot be reached, as the end of a sentence. */
export function silenceText({ code, text }: Fault): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such socket';
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not use it (is it in the group docker?)';
    case 'ETIMEDOUT':
      return 'no answer in time';
    default:
      return cut(text);
  }
}

/** Why the image cannot be had. The engine repeats what the registry said, in several wordings. */
export function pullRefusal(image: string, said: string): Refusal {
  const registry = registryOf(image);
  if (/no basic auth|unauthorized|authentication required|incorrect username/i.test(said)) {
    const text = `${registry} wants another login for ${image}; see dockerAuth`;
    return { text, isFinal: true };
  }
  if (/access denied|denied|forbidden|insufficient_scope/i.test(said)) {
    const text = `${registry} has no image ${image}, or wants a login for it; see dockerAuth`;
    return { text, isFinal: true };
  }
  if (/not found|manifest unknown|name unknown|does not exist|NotFound/i.test(said)) {
    return { text: `${registry} has no image ${image}`, isFinal: true };
  }
  if (/HTTP response to HTTPS client/.test(said)) {
    const text =
      `${registry} speaks plain HTTP, which the Docker Engine accepts from those only that its ` +
      'insecure-registries name';
    return { text, isFinal: true };
  }
  if (/no such host|connection refused|no route|timeout|deadline|unreachable|EOF/i.test(said)) {
    const text = `${registry} does not answer: ${cut(said)}`;
    return { text, isFinal: false, isOutside: true };
  }
  return { text: `the image ${image} cannot be pulled: ${cut(said)}`, isFinal: false };
}

/** Why a container cannot be made or begun. */
export function startRefusal({ status, text }: Fault): Refusal {
  const source = /bind source path does not exist: (.+)$/.exec(text)?.[1];
  if (source !== undefined) {
    return { text: `the folder ${source} of storage does not exist`, isFinal: true };
  }
  if (/could not select device driver/.test(text)) {
    const why = 'it has no driver for them; NVIDIA calls its one nvidia-container-toolkit';
    return { text: `the Docker Engine cannot hand out accelerators: ${why}`, isFinal: true };
  }
  return { text: `cannot be started: ${cut(text)}`, isFinal: status === 400 };
}

/** The registry of an image, as the engine understands its name. */
export function registryOf(image: string): string {
  const [first = '', rest] = image.split('/', 2);
  const isHost = rest !== undefined && (/[.:]/.test(first) || first === 'localhost');
  return isHost ? first : 'docker.io';
}

function plain(message: string): string {
  return message.replace(/^\(HTTP code \d+\) [^-]*- /, '');
}

function cut(text: string): string {
  return text.length > textMax ? `${text.slice(0, textMax)}...` : text;
}
