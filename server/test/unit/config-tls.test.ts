// The certificate and key of the settings.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readTls } from '../../src/config/tls.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const certFile = fileURLToPath(new URL('../integration/eas-tls/cert.pem', import.meta.url));
const keyFile = fileURLToPath(new URL('../integration/eas-tls/key.pem', import.meta.url));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

it('are read when they belong together', async () => {
  expect(await readTls(undefined)).toBeUndefined();
  const tls = await readTls({ certFile, keyFile });
  expect(tls?.cert).toEqual(readFileSync(certFile));
  expect(tls?.key).toEqual(readFileSync(keyFile));
});

it('are mistakes in the settings when they can not be used', async () => {
  const text = file('text', 'hello');
  const { privateKey } = generateKeyPairSync('ed25519');
  const other = file('other', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  const wrong = [
    [{ certFile: '/no/such', keyFile }, 'tls_cert: /no/such cannot be read (ENOENT'],
    [{ certFile, keyFile: '/no/such' }, 'tls_key: /no/such cannot be read (ENOENT'],
    [{ certFile: text, keyFile }, `tls_cert: ${text} is no certificate in PEM format`],
    [{ certFile, keyFile: text }, `tls_key: ${text} is no private key in PEM format`],
    [{ certFile, keyFile: certFile }, `tls_key: ${certFile} is no private key in PEM format`],
    [{ certFile, keyFile: other }, `tls_key: ${other} is not the key of the certificate`],
  ] as const;
  for (const [files, mistake] of wrong) {
    await expect(readTls(files)).rejects.toThrow(mistake);
    await expect(readTls(files)).rejects.toMatchObject({ name: 'ConfigError' });
  }
});
