// Which launch a copy belongs to.

import type { DeployedService } from '../deployment/service.ts';

/** Copies of equal keys are the same thing; the rest can be changed while they work. */
export function launchKey(service: DeployedService): string {
  return `${service.number}.${service.sourceRevision}`;
}

/** Whether a copy of that key belongs to the service of that number. */
export function isOfService(key: string, number: number): boolean {
  return key.startsWith(`${number}.`);
}

/** The source revision that a key names. */
export function sourceRevisionOf(key: string): number {
  return Number(key.slice(key.indexOf('.') + 1));
}
