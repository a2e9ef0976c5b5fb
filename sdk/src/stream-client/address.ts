// The addresses that follow from that of a server.

import { PlatformError } from '../errors.ts';
import { streamPath } from '../stream/limits.ts';

/** Without a slash at its end; only http and https, because all else follows from them. */
export function baseOf(url: string): string {
  if (!/^https?:\/\//.test(url)) {
    throw new PlatformError('bad_request', `${url} is not an http or https address.`);
  }
  return url.replace(/\/+$/, '');
}

/** Where the stream protocol is spoken. */
export function streamUrl(url: string): string {
  return `${baseOf(url).replace(/^http/, 'ws')}${streamPath}`;
}
