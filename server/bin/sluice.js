#!/usr/bin/env node
// The sluice command. It runs the built program and says what to do when it has not been built.
import { existsSync } from 'node:fs';

const built = new URL('../dist/main.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  console.error('sluice is not built yet: run `npm ci && npm run build` in its folder');
  process.exitCode = 1;
}
