// Where the Docker Engine of this machine listens. Containers are published on loopback only, so an
// engine of another machine is of no use, and is refused in words instead of failing later.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../environment.ts';

export interface EngineAddress {
  /** As people name it: the socket's path, or what `DOCKER_HOST` says. */
  readonly name: string;
  readonly target:
    | { readonly kind: 'socket'; readonly path: string }
    | { readonly kind: 'port'; readonly host: string; readonly port: number }
    | { readonly kind: 'unusable'; readonly why: string };
}

const usualSocket = '/var/run/docker.sock';
const usualPort = 2375;
const loopback: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** `DOCKER_HOST`, else the first of the usual sockets that exists now, else the most usual one. */
export function engineAddress(environment: Environment): EngineAddress {
  const said = environment.DOCKER_HOST ?? '';
  if (said !== '') return addressOf(said);
  const { HOME: home, XDG_RUNTIME_DIR: runtime } = environment;
  const usual = [
    usualSocket,
    ...(home === undefined ? [] : [join(home, '.docker/run/docker.sock')]),
    ...(runtime === undefined ? [] : [join(runtime, 'docker.sock')]),
  ];
  const path = usual.find((each) => existsSync(each)) ?? usualSocket;
  return { name: path, target: { kind: 'socket', path } };
}

function addressOf(said: string): EngineAddress {
  if (said.startsWith('unix://')) {
    const path = said.slice('unix://'.length) || usualSocket;
    return { name: path, target: { kind: 'socket', path } };
  }
  const name = `DOCKER_HOST ${said}`;
  const unusable = (why: string): EngineAddress => ({ name, target: { kind: 'unusable', why } });
  const url = said.includes('://') ? said : `tcp://${said}`;
  if (!URL.canParse(url)) return unusable('is no address; name a socket as in unix:///path');
  // URLs of unknown protocols keep their host as it is written.
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'tcp:' && protocol !== 'http:') {
    return unusable(`is reached by ${protocol.slice(0, -1)}, which Sluice does not speak`);
  }
  if (!loopback.has(hostname)) {
    return unusable('is another machine, but instances are reached through loopback only');
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  return { name, target: { kind: 'port', host, port: port === '' ? usualPort : Number(port) } };
}
