// What callbacks are signed with: shown and rotated by administrators, its public half by anybody.

import { PlatformError, type ServiceWebhooks, type WebhookPublicKey } from '@sluice/sdk/wire';
import { z } from 'zod';
import { parseDuration } from '../../../config/duration.ts';
import { type Route, route } from '../route.ts';
import { pathName } from '../schemas.ts';

/** Whoever sends callbacks. */
export interface WebhookHost {
  webhooks(service: string): Promise<ServiceWebhooks>;
  /** New secrets; those before sign for `overlapMs` more. */
  rotate(service: string, overlapMs: number): Promise<ServiceWebhooks>;
  /** Throws `not_found` when the address is not closed. */
  openAddress(service: string, url: string): Promise<ServiceWebhooks>;
  /** Of all services that have any, unless one is named. */
  publicKeys(service?: string): Promise<readonly WebhookPublicKey[]>;
}

export interface WebhookRouteOptions {
  readonly webhooks: WebhookHost;
  readonly isService: (name: string) => boolean;
}

const overlapMsMax = 30 * 24 * 3_600_000;

const params = z.object({ name: pathName });
const overlap = z
  .string()
  .default('24h')
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms <= overlapMsMax) return ms;
    context.addIssue({ code: 'custom', message: 'must be a duration up to 720h, such as 24h' });
    return z.NEVER;
  })
  .describe('How long the old secrets sign beside the new ones, up to 720h; 0 = no longer.');

export function webhookRoutes({ webhooks, isService }: WebhookRouteOptions): readonly Route[] {
  const known = (name: string): string => {
    if (isService(name)) return name;
    throw new PlatformError('not_found', `there is no service ${name}`);
  };
  return [
    route({
      method: 'GET',
      path: '/v1/webhook-keys',
      summary: 'The public keys (Ed25519) that callbacks are signed with',
      access: 'open',
      query: z.object({
        service: pathName.optional().describe('Those of one service; else of all.'),
      }),
      answer: { kind: 'list', of: 'WebhookPublicKey' },
      run: async ({ query: { service } }) =>
        webhooks.publicKeys(service === undefined ? undefined : known(service)),
    }),
    route({
      method: 'GET',
      path: '/v1/services/{name}/webhooks',
      summary: 'What the callbacks of a service are signed with, and how they fare',
      params,
      answer: { kind: 'one', of: 'ServiceWebhooks' },
      run: async ({ params: { name } }) => webhooks.webhooks(known(name)),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/webhooks/rotate',
      summary: 'Sign with new secrets, and for a while with the old ones too',
      params,
      body: z.strictObject({ overlap }),
      answer: { kind: 'one', of: 'ServiceWebhooks' },
      run: async ({ params: { name }, body }) => webhooks.rotate(known(name), body.overlap),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/webhooks/open',
      summary: 'Send callbacks again to an address that answered 410',
      params,
      body: z.strictObject({ url: z.string().max(2048) }),
      answer: { kind: 'one', of: 'ServiceWebhooks' },
      run: async ({ params: { name }, body }) => webhooks.openAddress(known(name), body.url),
    }),
  ];
}
