// `storage[]` → folders of this machine in a container. What only a cloud has keeps instances
// pending, so that files made for one load all the same.

import { posix } from 'node:path';
import type { Mount } from '../deployment/instances.ts';
import { cloudStorage, type StorageFile } from './file.ts';
import type { Problem } from './spelling.ts';

export interface Mounts {
  readonly mounts: readonly Mount[];
  /** Why the instances can't run here; undefined: they can. */
  readonly missing: string | undefined;
}

/** The folders to mount. Mistakes go to `problems`. */
export function mountsOf(storage: readonly StorageFile[], problems: Problem[]): Mounts {
  const mounts: Mount[] = [];
  let missing: string | undefined;
  for (const [at, entry] of storage.entries()) {
    const path = `storage[${at}]`;
    const to = placeOf(entry.mount_path, `${path}.mount_path`, problems);
    if (mounts.some((mount) => mount.to === to)) {
      problems.push({ path: `${path}.mount_path`, message: `${to} is taken by another entry` });
    }
    const cloud = cloudStorage.find((name) => entry[name] !== undefined);
    const folder = entry.local ?? entry.host_path;
    const given = [entry.local, entry.host_path, ...cloudStorage.map((name) => entry[name])];
    const count = given.filter((source) => source !== undefined).length;
    if (count !== 1) {
      const message = count === 0 ? 'says not what to mount: local' : 'names several sources';
      problems.push({ path, message: `${message}; give one` });
    } else if (cloud !== undefined) {
      missing ??=
        `${path} is ${cloud} storage of a cloud: this Sluice mounts folders of its own machine; ` +
        `say {"mount_path": "${to}", "local": {"path": "/folder"}}`;
    } else if (folder !== undefined) {
      const name = entry.local === undefined ? 'host_path' : 'local';
      const from = folderOf(folder.path, `${path}.${name}.path`, problems);
      mounts.push({ from, to, readOnly: folder.readOnly });
    }
  }
  return { mounts, missing };
}

function placeOf(text: string, path: string, problems: Problem[]): string {
  const place = folderOf(text, path, problems);
  if (place === '/') problems.push({ path, message: 'would hide the whole container' });
  return place;
}

/** Absolute and plain, without a / at its end. */
function folderOf(text: string, path: string, problems: Problem[]): string {
  if (!text.startsWith('/')) {
    problems.push({ path, message: 'is not absolute: it has to begin with /' });
  } else if (text.includes('\0') || text.split('/').includes('..')) {
    problems.push({ path, message: 'holds .. or a zero byte' });
  }
  const plain = posix.normalize(text);
  return plain.length > 1 ? plain.replace(/\/$/, '') : plain;
}
