// Ports for processes. A free one is found by binding it for a moment; what is handed out is
// remembered, so that two processes started at once never get the same. Should another program
// take it in between, the process ends with an error and its next start gets another port.

import { createServer } from 'node:net';

export const instanceHost = '127.0.0.1';
const attemptsMax = 50;

export class Ports {
  readonly #taken = new Set<number>();

  /** A port that nothing listens on now and that no other instance has. */
  async free(): Promise<number> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const port = await bindOnce(0);
      if (port === undefined || this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    throw new Error(`no free port found in ${attemptsMax} attempts`);
  }

  /** Reserves a fixed port; false: an instance has it, or something listens on it. */
  async fixed(port: number): Promise<boolean> {
    if (this.#taken.has(port)) return false;
    this.#taken.add(port);
    if ((await bindOnce(port)) !== undefined) return true;
    this.#taken.delete(port);
    return false;
  }

  /** A process that already runs has it. */
  take(port: number): void {
    this.#taken.add(port);
  }

  giveBack(port: number): void {
    this.#taken.delete(port);
  }
}

function bindOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: instanceHost, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}
