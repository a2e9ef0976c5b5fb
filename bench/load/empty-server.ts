// What the HTTP put is measured against: a node:http server that does nothing but read the body
// and answer one digit. Tells the benchmark its port.

import { createServer } from 'node:http';

const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': '1' });
    response.end('1');
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) process.send?.(address.port);
});
process.on('disconnect', () => process.exit(0));
