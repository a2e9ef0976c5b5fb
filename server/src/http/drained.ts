// Back pressure of an answer that is written piece by piece: when its reader has room again.

import type { ServerResponse } from 'node:http';

/** Resolves when more can be written, or never will be. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener('drain', done);
      response.removeListener('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
    if (response.destroyed) done();
  });
}
