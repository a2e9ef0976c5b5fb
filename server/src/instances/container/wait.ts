// Waiting for the end of a container, for as long as it takes.

import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';

/**
 * Resolves when the container does not run, or when the engine says anything else; rejects when
 * the connection is lost. The client's own call would wait for ever then: it overlooks an answer
 * that is cut in the middle, and the engine begins this one at once and ends it with the container.
 */
export function notRunning(
  docker: Docker,
  container: Docker.Container,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = {
      path: `/containers/${container.id}/wait?condition=not-running`,
      method: 'POST',
      isStream: true,
      statusCodes: { 200: true, 400: 'bad parameter', 404: 'no such container' },
      abortSignal: signal,
    };
    docker.modem.dial(request, (error, answer) => {
      if (error !== null) return reject(error);
      // With `isStream` the answer is one.
      const stream = answer as NodeJS.ReadableStream;
      stream.resume();
      finished(stream, { writable: false }).then(resolve, reject);
    });
  });
}
