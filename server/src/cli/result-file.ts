// Results as files: written beside their name and moved there when they are whole, so that a file
// of that name is never half a result.

import { open, rename, rm } from 'node:fs/promises';
import type { RequestResult } from '@sluice/sdk';
import { CommandError } from './context.ts';
import { fileProblem } from './file-problem.ts';

/** Writes a result to a file and answers its size; an old file of that name is replaced. */
export async function writeResult(result: RequestResult, file: string): Promise<number> {
  const part = `${file}.part`;
  try {
    const size = await writePieces(result, part);
    await rename(part, file);
    return size;
  } catch (error) {
    await rm(part, { force: true });
    const isSystem = error instanceof Error && 'syscall' in error;
    throw isSystem ? new CommandError(fileProblem(file, error)) : error;
  }
}

async function writePieces(result: RequestResult, file: string): Promise<number> {
  const handle = await open(file, 'w');
  let size = 0;
  try {
    for await (const piece of result.stream()) {
      await handle.writeFile(piece);
      size += piece.byteLength;
    }
  } finally {
    await handle.close();
  }
  return size;
}
