// Objects of S3 and of whatever speaks its protocol: which stores this server knows, with which
// credentials, and where an object lies there. The credentials are the server's own, from its
// environment, and only buckets that a service names are read with them.

import { isIP } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import {
  type AllowList,
  type PinnedTarget,
  type Resolve,
  readTarget,
  systemResolve,
} from './address-filter.ts';
import type { Clock } from './clock.ts';
import { encoded, type S3Credentials, signedHeaders } from './sigv4.ts';

/** How objects are read; from the environment of the server. */
export interface S3Settings {
  /** undefined: none are known, and no object can be read. */
  readonly credentials: S3Credentials | undefined;
  readonly region: string;
  /** Of a store that is not Amazon's; trusted, since only the server's environment names it. */
  readonly endpoint: URL | undefined;
  /** Where the bucket stands: in the path of the endpoint, or before its host. */
  readonly bucketIn?: 'path' | 'host';
  /** The variable that is missing when there are no credentials. */
  readonly variable?: string;
}

/** What a service allows of addresses: `fetch` for bodies, `model` for its model. */
export interface FetchRules {
  readonly allow: AllowList;
  /** Buckets that may be read. */
  readonly buckets: readonly string[];
}

/** One object. */
export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

export interface ObjectRequest {
  readonly settings: S3Settings;
  readonly clock: Clock;
  readonly resolve?: Resolve | undefined;
}

/** What to ask, and with which headers; the signature is good for some minutes. */
export interface SignedTarget {
  readonly pinned: PinnedTarget;
  readonly headers: Readonly<Record<string, string>>;
}

const keyCharactersMax = 1024;

/** Reads `s3://bucket/key`; throws `unprocessable`. The scheme is not looked at. */
export function readObjectName(address: string): ObjectName {
  const [, scheme = '', bucket = '', key = ''] =
    /^([a-z0-9]+):\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/is.exec(address) ?? [];
  if (bucket === '' || bucket !== bucket.toLowerCase() || key.length > keyCharactersMax) {
    const form = `${scheme === '' ? 's3' : scheme.toLowerCase()}://bucket/key`;
    throw new PlatformError('unprocessable', `an address of an object is ${form}`);
  }
  // A key with a part `.` or `..` would be another object's once it is in an address.
  if (/(^|\/)\.{1,2}(\/|$)/.test(key)) {
    throw new PlatformError('unprocessable', 'the key of the object has a part . or ..');
  }
  return { bucket, key };
}

/** Throws `unprocessable` without credentials, `unavailable` when the store can't be looked up. */
export async function objectTarget(
  { bucket, key }: ObjectName,
  { settings, clock, resolve = systemResolve }: ObjectRequest,
): Promise<SignedTarget> {
  const { region, credentials, variable = 'AWS_ACCESS_KEY_ID' } = settings;
  if (credentials === undefined) {
    const text = `this server has no credentials for objects: ${variable} is not set`;
    throw new PlatformError('unprocessable', text);
  }
  const url = readTarget(`${rootOf(bucket, settings)}/${key.split('/').map(encoded).join('/')}`);
  const sign = { url, credentials, region, service: 's3', now: clock.now().wall };
  const { host: _, ...headers } = signedHeaders(sign);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw new PlatformError('unavailable', `${host} could not be looked up`, { cause });
  });
  return { pinned: { url, addresses }, headers };
}

function rootOf(bucket: string, { endpoint, region, bucketIn }: S3Settings): string {
  if (endpoint === undefined) return `https://${bucket}.s3.${region}.amazonaws.com`;
  const root = endpoint.href.replace(/\/$/, '');
  return bucketIn === 'host' ? root.replace('://', `://${bucket}.`) : `${root}/${bucket}`;
}

/** The settings of the environment, under the names that every tool for S3 uses. */
export function s3SettingsOf(
  environment: Readonly<Record<string, string | undefined>>,
): S3Settings {
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL ?? '';
  return {
    credentials: credentialsOf(
      environment.AWS_ACCESS_KEY_ID,
      environment.AWS_SECRET_ACCESS_KEY,
      environment.AWS_SESSION_TOKEN,
    ),
    region: environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? 'us-east-1',
    endpoint: URL.canParse(endpoint) ? new URL(endpoint) : undefined,
  };
}

/**
 * Alibaba Cloud's store, by its S3 protocol, under the names that its own tools use. Without
 * OSS_ACCESS_KEY_ID an `oss://` address is read where `s3://` ones are: a file written for the
 * cloud then works with a store of one's own.
 */
export function ossSettingsOf(
  environment: Readonly<Record<string, string | undefined>>,
): S3Settings {
  const credentials = credentialsOf(
    environment.OSS_ACCESS_KEY_ID,
    environment.OSS_ACCESS_KEY_SECRET,
    environment.OSS_SESSION_TOKEN,
  );
  if (credentials === undefined) {
    return { ...s3SettingsOf(environment), variable: 'OSS_ACCESS_KEY_ID' };
  }
  const region = (environment.OSS_REGION ?? 'cn-hangzhou').replace(/^oss-/, '');
  const given = environment.OSS_ENDPOINT ?? '';
  const whole = /^https?:/.test(given) || given === '' ? given : `https://${given}`;
  const endpoint = new URL(URL.canParse(whole) ? whole : `https://s3.oss-${region}.aliyuncs.com`);
  // The store takes buckets before its host only; an address of digits has nothing before it.
  const isBare = isIP(endpoint.hostname) !== 0 || /^(\[|localhost$)/.test(endpoint.hostname);
  return { credentials, region, endpoint, bucketIn: isBare ? 'path' : 'host' };
}

function credentialsOf(
  id: string | undefined,
  secret: string | undefined,
  token: string | undefined,
): S3Credentials | undefined {
  if (id === undefined || id === '' || secret === undefined || secret === '') return undefined;
  const sessionToken = token === '' ? undefined : token;
  return { accessKeyId: id, secretAccessKey: secret, sessionToken };
}
