// What a user declared, checked and complete: plain data without text to parse and without gaps.
// The queue's half goes to the broker, the other half to whatever runs instances. Nothing here
// knows how either is done.

import type { InstanceSettings } from '../deployment/instances.ts';
import type { RequestSettings } from '../deployment/requests.ts';
import type { ScalingPolicy } from '../deployment/scaling.ts';
import type { ServiceSettings } from '../queue/settings.ts';

/** What the file says of the service's main token. */
export type TokenWish =
  /** Not named: one is made, and kept over updates. */
  | { readonly kind: 'generated' }
  | { readonly kind: 'given'; readonly secret: string }
  /** Nobody is asked for one. */
  | { readonly kind: 'open' };

/** A service.json, checked. */
export interface ServiceSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly token: TokenWish;
  readonly queues: ServiceSettings;
  readonly requests: RequestSettings;
  readonly instances: InstanceSettings;
  /** undefined: as many instances as declared are wanted. */
  readonly scaling: ScalingPolicy | undefined;
}
