// A container image's name and login: whether they can be what they say, and whether the name means
// the same image tomorrow.

import type { Problem } from './spelling.ts';

const part = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*';
const registry = '(?:[A-Za-z0-9.-]+|\\[[0-9a-fA-F:]+\\])(?::\\d{1,5})?';
const reference = new RegExp(
  `^(?:${registry}/)?${part}(?:/${part})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?` +
    '(?:@sha256:[0-9a-f]{64})?$',
);

/** What can't be an image; undefined: it can. */
export function imageProblem(image: string): string | undefined {
  if (reference.test(image)) return undefined;
  return 'is no image: they are named as in registry.example.com/team/model:1.4.2';
}

/** Why the image may be another one tomorrow; undefined: it is pinned. */
export function unpinned(image: string): string | undefined {
  if (image.includes('@')) return undefined;
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  if (tag !== undefined && tag !== 'latest') return undefined;
  const said = tag === undefined ? 'has no tag and means latest' : 'is tagged latest';
  return (
    `${image} ${said}: what that is changes, so that instances started later may differ from ` +
    'those that run, and switching back brings nothing back; name a version or a digest'
  );
}

/** The login is checked for its form only; the registry says whether it is right. */
export function checkLogin(login: string | undefined, problems: Problem[]): void {
  if (login === undefined || login === '') return;
  const text = Buffer.from(login, 'base64').toString('utf8');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(login) && text.indexOf(':') > 0) return;
  problems.push({ path: 'dockerAuth', message: 'is not the base64 of user:password' });
}
