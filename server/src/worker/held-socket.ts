// Backpressure for undici below its parser. A parser that is paused when the other side closes the
// connection ends the process by an assertion (undici 7); a socket that is not read from does not.

import type { Socket } from 'node:net';
import type { Clock } from '../kernel/clock.ts';

/** Nothing of the socket is read from here on until the answer is called, once: what comes waits in
 * the buffers of the system, and so does its end. */
export function holdSocket(socket: Socket, clock: Clock): () => void {
  // undici reads with `read()` whenever something is readable, and takes null for nothing.
  socket.read = () => null;
  return () => {
    // The one of its class is behind it.
    Reflect.deleteProperty(socket, 'read');
    // Not now: the parser may be at work on what came before.
    clock.defer(() => {
      if (!socket.destroyed) socket.emit('readable');
    });
  };
}
