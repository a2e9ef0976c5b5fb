// The certificate and key of the settings, read and tried before anything listens: a wrong file is
// a mistake in the settings and is told like one.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Config } from './load.ts';
import { ConfigError } from './mistakes.ts';

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** undefined: no TLS is wanted. Throws ConfigError. */
export async function readTls(tls: Config['tls']): Promise<TlsFiles | undefined> {
  if (tls === undefined) return undefined;
  const { certFile, keyFile } = tls;
  const cert = await read('tls_cert', certFile);
  const key = await read('tls_key', keyFile);
  const certificate = parsed(() => new X509Certificate(cert), {
    otherwise: `tls_cert: ${certFile} is no certificate in PEM format`,
  });
  const privateKey = parsed(() => createPrivateKey(key), {
    otherwise: `tls_key: ${keyFile} is no private key in PEM format without a passphrase`,
  });
  if (certificate.checkPrivateKey(privateKey)) return { cert, key };
  throw new ConfigError([`tls_key: ${keyFile} is not the key of the certificate ${certFile}`]);
}

async function read(setting: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`${setting}: ${file} cannot be read (${why})`]);
  }
}

function parsed<Value>(parse: () => Value, { otherwise }: { readonly otherwise: string }): Value {
  try {
    return parse();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`${otherwise} (${why})`]);
  }
}
