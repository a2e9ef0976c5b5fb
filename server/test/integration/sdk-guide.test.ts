// The examples of docs/sdk.md, run one after the other as one program: each prints what the page
// says that it prints.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRequestService, type RequestService } from './request-service.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(`${root}/docs/sdk.md`, 'utf8');
const code = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text ?? '').join('\n');
const printed = [...code.matchAll(/\/\/ prints (.*)$/gm)].flatMap(([, text]) => text?.split(', '));

// Each command is a process, and each world a server.

let service: RequestService;

beforeAll(async () => {
  service = await openRequestService();
});
afterAll(() => service.close());

it('has examples that print what the page says', async () => {
  expect(printed.length).toBeGreaterThan(8);
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', '--input-type=module', '--eval', code],
    {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        SLUICE_URL: service.url,
        SLUICE_TOKEN: service.token,
        WEBHOOK_SECRET: 'whsec_c2VjcmV0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [exitCode] = await once(child, 'close');
  expect(output.trim().split('\n')).toEqual(printed);
  expect(exitCode).toBe(0);
});
