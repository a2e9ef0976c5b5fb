// One model fetched into its part: asked for again after cuts, from where it was cut, until it is
// whole and has the checksum it should have. A part of another version than what comes is thrown
// away, and so is one that turns out wrong once it is whole.

import type { Clock } from '../kernel/clock.ts';
import type { FetchRules } from '../kernel/object-store.ts';
import { pause } from '../kernel/pause.ts';
import type { Random } from '../kernel/random.ts';
import type { ModelPlace, RemotePlace } from './address.ts';
import { fetchErrorOf, finalError, ModelFetchError, outsideError } from './fetch-error.ts';
import type { Part } from './part.ts';
import type { ModelBody, RemoteModels } from './remote.ts';
import { type ModelRoom, megabytes, type Ticket } from './room.ts';
import { isKnownVersion, noVersion, type Version } from './version.ts';

export interface DownloadOptions {
  readonly source: ModelPlace<RemotePlace>;
  readonly rules: FetchRules;
  /** SHA-256, hexadecimal; undefined: whatever comes. */
  readonly checksum: string | undefined;
  /** A version that lies here already. */
  readonly known: Version | undefined;
  readonly part: Part;
  readonly remote: RemoteModels;
  readonly room: ModelRoom;
  readonly ticket: Ticket;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** `unchanged`: the known version is still the one. */
export type Downloaded = 'unchanged' | 'whole';

/** So often in a row no byte more than before may come before it is given up for now. */
const idleTriesMax = 5;
/** So often it is tried at all, should each try bring a byte. */
const triesMax = 100;
const firstPauseMs = 1000;
const progressEveryMs = 500;

/** Rejects with ModelFetchError, or with the reason of the signal; the part stays for another try
 * then, if there is one. */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const { part, checksum, source } = options;
  if (checksum !== undefined && part.isWhole && part.sum() === checksum) return 'whole';
  for (let isAgain = false; ; isAgain = true) {
    if ((await fetchWhole(options)) === 'unchanged') return 'unchanged';
    const sum = part.sum();
    if (checksum === undefined || sum === checksum) return 'whole';
    const { isPieced: wasPieced, version } = part;
    await part.restart(noVersion, undefined);
    // What several answers gave may be of different versions, whatever they said.
    if (wasPieced && !isAgain) continue;
    const text = `has the checksum sha256:${sum}, not model_checksum sha256:${checksum}`;
    throw new ModelFetchError(`${source.shown} ${text}`, { isFinal: true, version });
  }
}

async function fetchWhole(options: DownloadOptions): Promise<Downloaded> {
  const { part, source, known, clock, random, signal, progress } = options;
  let most = part.bytes;
  let idle = 0;
  for (let tries = 1; ; tries += 1) {
    try {
      return await fetchOnce(options);
    } catch (error) {
      signal.throwIfAborted();
      const fault = fetchErrorOf(error, `${source.shown} could not be fetched`);
      if (fault.isFinal) throw fault;
      // Somebody can do with the version that is here.
      if (known !== undefined && !part.isBegun) throw fault;
      await part.flush();
      idle = part.bytes > most ? 1 : idle + 1;
      most = Math.max(most, part.bytes);
      if (idle >= idleTriesMax || tries >= triesMax) {
        throw new ModelFetchError(`${fault.message}; tried ${tries} times`, {
          isFinal: false,
          cause: fault,
        });
      }
      const waitMs = fault.retryAfterMs ?? firstPauseMs * 2 ** (idle - 1) * fraction(random);
      progress(`${fault.message}; trying again in ${Math.ceil(waitMs / 1000)} s`);
      await pause(clock, waitMs, signal);
      signal.throwIfAborted();
    }
  }
}

/** Between three quarters and the whole: many do not come back in step. */
function fraction(random: Random): number {
  return 0.75 + 0.25 * random.fraction();
}

async function fetchOnce(options: DownloadOptions): Promise<Downloaded> {
  const { source, rules, known, part, remote, signal } = options;
  const { isWhole, version } = part;
  // A whole one was left by a crash: only whether it still is the newest is to be found out.
  const question = { source, rules, known: isWhole ? version : known, signal };
  const none = { bytes: 0, of: noVersion };
  const canResume = isKnownVersion(version) && !isWhole;
  let answer = await remote.ask({
    ...question,
    have: canResume ? { bytes: part.bytes, of: version } : none,
  });
  if (answer.kind === 'changed') {
    await part.restart(noVersion, undefined);
    answer = await remote.ask({ ...question, have: none });
  }
  switch (answer.kind) {
    case 'unchanged':
      return isWhole ? 'whole' : 'unchanged';
    case 'changed':
      throw outsideError(`${source.shown} changes while it is fetched`);
    case 'body':
      await receive(answer, options);
      return 'whole';
  }
}

async function receive(body: ModelBody, options: DownloadOptions): Promise<void> {
  const { source, checksum, part, room, ticket, clock, progress } = options;
  const { size, stream } = body;
  try {
    if (!body.hasEnd && checksum === undefined) {
      throw finalError(
        `${source.shown} does not say how long it is, so a cut would not show: give model_checksum`,
      );
    }
    if (size !== undefined) {
      room.checkSize(size, `${source.shown} has`);
      await ticket.cover(size);
    }
    if (body.from === 0) await part.restart(body.version, size);
    else part.resume(size);
    let shownAt = Number.NEGATIVE_INFINITY;
    for await (const piece of stream) {
      const bytes: Uint8Array = piece;
      const total = part.bytes + bytes.length;
      if (size === undefined) {
        room.checkSize(total, `${source.shown} has more than`);
        await ticket.cover(total);
      }
      await part.add(bytes);
      ticket.wrote(part.bytes);
      const now = clock.now().mono;
      if (now - shownAt < progressEveryMs) continue;
      shownAt = now;
      progress(progressText(part.bytes, size));
    }
    if (size !== undefined && part.bytes !== size) {
      throw outsideError(`${source.shown} was cut after ${part.bytes} of ${size} bytes`);
    }
    await part.end();
  } finally {
    stream.destroy();
  }
}

/** "120 of 410 MB (29 %)". */
function progressText(bytes: number, size: number | undefined): string {
  if (size === undefined || size === 0) return `${megabytes(bytes)} MB`;
  const percent = Math.floor((100 * bytes) / size);
  return `${megabytes(bytes)} of ${megabytes(size)} MB (${percent} %)`;
}
