// What a command reads: a file, or standard input. Mistakes name the file and say what is wrong
// with it.

import { readFile, stat } from 'node:fs/promises';
import { CommandError, type Context } from './context.ts';
import { fileProblem } from './file-problem.ts';

/** No queue takes a larger payload, no service.json is longer. */
export const inputBytesMax: number = 31 * 2 ** 20;

/** Reads a file, or standard input when it is `-`. */
export async function readInput(context: Context, file: string): Promise<Uint8Array> {
  if (file === '-') return readStandardInput(context);
  try {
    const { size } = await stat(file);
    if (size > inputBytesMax) throw tooMuch(`${file} has ${size} bytes`);
    return await readFile(file);
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(fileProblem(file, error));
  }
}

// Ctrl-C ends the reading, whether or not the other side of the pipe does.
function readStandardInput({ terminal, interrupted }: Context): Promise<Uint8Array> {
  const { stdin } = terminal;
  const pieces: Buffer[] = [];
  let size = 0;
  return new Promise<Uint8Array>((resolve, reject) => {
    const take = (piece: Buffer | string): void => {
      const bytes = Buffer.from(piece);
      size += bytes.byteLength;
      if (size > inputBytesMax) end(tooMuch(`standard input has ${size} bytes or more`));
      else pieces.push(bytes);
    };
    const end = (error?: Error): void => {
      stdin.off('data', take).off('end', end).off('error', end).pause();
      interrupted.removeEventListener('abort', stop);
      if (error === undefined) resolve(Buffer.concat(pieces));
      else reject(error);
    };
    const stop = (): void => end(new CommandError('interrupted'));
    if (interrupted.aborted) return stop();
    interrupted.addEventListener('abort', stop, { once: true });
    stdin.on('data', take).on('end', end).on('error', end);
  });
}

function tooMuch(what: string): CommandError {
  return new CommandError(`${what}; ${inputBytesMax} are the most that a queue takes`);
}
