// The flush of a folder, which its files' own flushes leave out.

import { open } from 'node:fs/promises';

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
