// A server that is gone for a while, restarted for one: commands that follow something wait for it
// and say so, instead of ending.

import { type AdminClient, PlatformError } from '@sluice/sdk';
import { type Context, pause } from './context.ts';

const againMs = 1000;

/** Whether the server could not be reached, or has ended an answer because it stops. */
export function isAway(error: unknown): error is PlatformError {
  return error instanceof PlatformError && error.code === 'unavailable';
}

/** Resolves when the server answers, at the earliest after a moment: one that stops may answer
 * still. Throws what it refuses, and when the command is interrupted. */
export async function untilBack(context: Context, client: AdminClient, why: string): Promise<void> {
  const { output, interrupted } = context;
  output.progress(`Waiting for the server: ${why}`);
  for (let wasAway = false; ; wasAway = true) {
    await pause(context, againMs);
    try {
      await client.server(interrupted);
      if (wasAway) output.note('The server is back');
      return;
    } catch (error) {
      if (!isAway(error)) throw error;
      output.progress(`Waiting for the server: ${error.message}`);
    }
  }
}
