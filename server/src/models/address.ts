// What a service wrote as `model_path`, understood: a place on this machine, an http(s) address or
// an object of a store; what its file is called, and whether it is an archive to be unpacked.

import { createHash } from 'node:crypto';
import { basename, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PlatformError } from '@sluice/sdk/wire';
import { readTarget } from '../kernel/address-filter.ts';
import { type ObjectName, readObjectName } from '../kernel/object-store.ts';
import { finalError } from './fetch-error.ts';

export type Packing = 'zip' | 'tar' | 'tgz';

export interface LocalPlace {
  readonly kind: 'local';
  /** Absolute. */
  readonly path: string;
}

export type RemotePlace =
  | { readonly kind: 'http'; readonly url: URL }
  | { readonly kind: 'object'; readonly store: 's3' | 'oss'; readonly object: ObjectName };

export interface ModelPlace<Place = LocalPlace | RemotePlace> {
  readonly place: Place;
  /** What the file is to be called; safe as the name of one. */
  readonly name: string;
  /** undefined: a file that is taken as it is. */
  readonly packing: Packing | undefined;
  /** Of equal addresses, and of no others. */
  readonly identity: string;
  /** For messages: without what may be secret. */
  readonly shown: string;
}

const packings: readonly (readonly [ending: RegExp, packing: Packing])[] = [
  [/\.zip$/i, 'zip'],
  [/\.tar$/i, 'tar'],
  [/\.(tar\.gz|tgz)$/i, 'tgz'],
];
const otherArchives = /\.(tar\.(bz2|xz|zst|lz4)|tbz2?|txz|7z|rar)$/i;
const nameBytesMax = 200;

/** Throws a final error for what is no address of a model. */
export function readModelAddress(
  address: string,
): ModelPlace<LocalPlace> | ModelPlace<RemotePlace> {
  if (address === '' || address.includes('\0')) throw finalError('model_path is empty');
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file') return localPlace(address, scheme);
  if (scheme === 'http' || scheme === 'https') return httpPlace(address);
  if (scheme === 's3' || scheme === 'oss') return objectPlace(address, scheme);
  const known = 'a path, file:, http:, https:, s3: or oss:';
  throw finalError(`model_path begins with ${scheme}: and has to be ${known}`);
}

/** Whether it lies on this machine already. */
export function isLocal(
  source: ModelPlace<LocalPlace> | ModelPlace<RemotePlace>,
): source is ModelPlace<LocalPlace> {
  return source.place.kind === 'local';
}

function localPlace(address: string, scheme: string | undefined): ModelPlace<LocalPlace> {
  const path = scheme === undefined ? address : pathOf(address);
  if (!isAbsolute(path)) {
    throw finalError(
      `model_path ${path} is relative: the command line makes such a path absolute, from the ` +
        'folder of the service file; here it has to be absolute',
    );
  }
  const plain = resolve(path);
  return { place: { kind: 'local', path: plain }, ...named(basename(plain), plain, plain) };
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch {
    throw finalError(`model_path ${address} has to be file:///absolute/path, on this machine`);
  }
}

function httpPlace(address: string): ModelPlace<RemotePlace> {
  const url = refusing(() => readTarget(address));
  const last = url.pathname.split('/').at(-1) ?? '';
  const shown = `${url.origin}${url.pathname}`;
  return { place: { kind: 'http', url }, ...named(decoded(last), url.href, shown) };
}

function objectPlace(address: string, store: 's3' | 'oss'): ModelPlace<RemotePlace> {
  const object = refusing(() => readObjectName(address));
  const shown = `${store}://${object.bucket}/${object.key}`;
  if (object.key.endsWith('/')) {
    throw finalError(`${shown} is a folder; put it into an archive (.tar.gz, .zip) as one object`);
  }
  return { place: { kind: 'object', store, object }, ...named(basename(object.key), shown, shown) };
}

function named(last: string, whole: string, shown: string): Omit<ModelPlace, 'place'> {
  if (otherArchives.test(last)) {
    throw finalError(`${shown}: archives of this form are not unpacked; use .zip, .tar or .tar.gz`);
  }
  const packing = packings.find(([ending]) => ending.test(last))?.[1];
  const identity = createHash('sha256').update(whole).digest('hex').slice(0, 32);
  return { name: safeName(last), packing, identity, shown };
}

/** `my model.pmml` stays; what would mean something to a file system does not. */
function safeName(last: string): string {
  // Control characters have no place in a name that is shown.
  const plain = last.replaceAll(/[/\\\p{Cc}]/gu, '_').replace(/^\.+/, '_');
  if (plain === '') return 'model';
  const bytes = Buffer.from(plain);
  if (bytes.length <= nameBytesMax) return plain;
  // The ending says what the file is.
  return bytes.subarray(-nameBytesMax).toString().replaceAll('\uFFFD', '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refusing<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof PlatformError) throw finalError(`model_path: ${error.message}`, error);
    throw error;
  }
}
