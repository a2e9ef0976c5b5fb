// Connections to a target that was checked, at the very addresses that were checked: the name is
// not looked up again, so a name that changes its address between check and connection gains
// nothing. No redirect is followed either: undici follows none by itself.

import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { PinnedAddress, PinnedTarget } from './address-filter.ts';

export interface PinnedOptions {
  /** Tests trust a certificate of their own. */
  readonly ca?: string;
}

const connectTimeoutMs = 10_000;

/** The connector of undici that reaches `target` and nothing else. */
export function pinnedConnector(
  target: PinnedTarget,
  { ca }: PinnedOptions = {},
): buildConnector.connector {
  return buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    // With several addresses the next one is tried when one does not answer.
    autoSelectFamily: true,
    lookup: pinnedLookup(target.addresses),
    ...(ca === undefined ? {} : { ca }),
  });
}

/** For whoever connects otherwise: knows the addresses that were checked and no others. */
export function pinnedLookup(addresses: readonly PinnedAddress[]): LookupFunction {
  return (_hostname, { all }, done) => {
    const [first] = addresses;
    if (all === true) done(null, [...addresses]);
    else if (first === undefined) done(new Error('no address was allowed'), '');
    else done(null, first.address, first.family);
  };
}
