#!/bin/sh
':' //; exec node --max-semi-space-size=64 "$0" "$@"
// The sluice command: for a shell two lines, which start Node.js with room for what a message
// leaves behind (decision 16), for Node.js a program. It runs the built one and says what to do
// when it has not been built.
import { existsSync } from 'node:fs';

const built = new URL('../dist/main.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  console.error('sluice is not built yet: run `npm ci && npm run build` in its folder');
  process.exitCode = 1;
}
