// What stands in for Sluice's HTTP put with the peers, which are libraries: a node:http server that
// reads the body, puts it by the adapter, and answers one digit once the peer has acknowledged it.
// Its argument is the address of the peer; it tells the benchmark its port.

import { createServer } from 'node:http';
import { openAdapter } from './open.ts';

const adapter = await openAdapter(JSON.parse(process.argv[2] ?? ''));
const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const bytes = Buffer.concat(chunks);
    const answer = (status: number, text: string): void => {
      const length = String(Buffer.byteLength(text));
      response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': length });
      response.end(text);
    };
    adapter.put(adapter.form === 'text' ? bytes.toString('latin1') : bytes).then(
      () => answer(200, '1'),
      (error: unknown) => answer(500, String(error)),
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) process.send?.(address.port);
});
process.on('message', () => {
  adapter.empty().then(
    () => process.send?.('emptied'),
    (error: unknown) => process.send?.(String(error)),
  );
});
process.on('disconnect', () => process.exit(0));
