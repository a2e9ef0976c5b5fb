// What a container says of itself, so that the next server can go on with it after a crash without
// any file of ours: who started it, for which service, as a copy of which launch.

import type { Launch } from '../driver.ts';

const format = '1';

/** The facts a survivor is known by. */
export interface LabelFacts {
  readonly folder: string;
  readonly service: string;
  readonly number: number;
  readonly instance: string;
  readonly key: string;
  readonly revision: number;
  /** The port inside. */
  readonly port: number;
  readonly devices: readonly number[];
}

/** Carried by every container that was started from a data folder; its value is the folder's id. */
export const folderLabel = 'sluice.folder';

export function labelsOf(launch: Launch, folder: string, port: number): Record<string, string> {
  const { service, number, instance, key, revision, devices } = launch;
  return {
    'sluice.format': format,
    [folderLabel]: folder,
    'sluice.service': service,
    'sluice.number': String(number),
    'sluice.instance': instance,
    'sluice.key': key,
    'sluice.revision': String(revision),
    'sluice.port': String(port),
    'sluice.devices': devices.join(','),
  };
}

/** undefined: they are not whole, or of another format. */
export function readLabels(
  labels: Readonly<Record<string, string | undefined>>,
): LabelFacts | undefined {
  const text = (name: string): string => labels[`sluice.${name}`] ?? '';
  const devices = text('devices') === '' ? [] : text('devices').split(',').map(Number);
  const facts = {
    folder: text('folder'),
    service: text('service'),
    number: Number(text('number') || Number.NaN),
    instance: text('instance'),
    key: text('key'),
    revision: Number(text('revision') || Number.NaN),
    port: Number(text('port') || Number.NaN),
    devices,
  };
  const numbers = [facts.number, facts.revision, facts.port, ...devices];
  const texts = [facts.folder, facts.service, facts.instance, facts.key];
  const isWhole =
    text('format') === format && numbers.every(Number.isSafeInteger) && !texts.includes('');
  return isWhole ? facts : undefined;
}
