// Backups, made by the server itself while it serves.

import { isAbsolute, normalize } from 'node:path';
import { type BackupStep, PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { Administration } from '../administration.ts';
import { toPlatformError } from '../problem.ts';
import { type Route, route } from '../route.ts';

const pathCharactersMax = 4096;

const body = z.strictObject({
  path: z
    .string()
    .max(pathCharactersMax)
    .refine((path) => isAbsolute(path) && !path.includes('\0'), 'must be an absolute path')
    .describe("A folder on the server's machine that is not there yet."),
});

export function backupRoutes(administration: Administration): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/backup',
      summary: 'Make a backup of everything, and check it; leaving early gives it up',
      body,
      answer: {
        kind: 'stream',
        type: 'application/x-ndjson',
        description: 'One object a line: `progress`, at the end `done` or `failed`.',
      },
      run: async ({ body: { path }, response }) => {
        const left = new AbortController();
        const gaveUp = new PlatformError('unavailable', 'the caller left; the backup was given up');
        response.once('close', () => left.abort(gaveUp));
        const say = (step: BackupStep): void => {
          if (!response.headersSent) {
            response.writeHead(200, {
              'Content-Type': 'application/x-ndjson',
              'Cache-Control': 'no-store',
            });
          }
          response.write(`${JSON.stringify(step)}\n`);
        };
        try {
          const backup = await administration.backUp({
            path: normalize(path),
            signal: left.signal,
            tell: (progress) => say({ kind: 'progress', ...progress }),
          });
          say({ kind: 'done', backup });
        } catch (error) {
          // Before the first line it is a refusal like any other.
          if (!response.headersSent) throw error;
          const { code, message } = toPlatformError(error);
          say({ kind: 'failed', code, detail: message });
        }
        response.end();
      },
    }),
  ];
}
