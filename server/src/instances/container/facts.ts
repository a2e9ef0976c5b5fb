// What the engine knows of one container, in our words: where it is reached, and how it ended.

import type Docker from 'dockerode';
import type { Ending } from '../driver.ts';
import { instanceHost } from '../port.ts';
import { portName } from './create.ts';

export interface ContainerFacts {
  /** On loopback of this machine; undefined: it is not published (any more). */
  readonly port: number | undefined;
  /** Its own address; undefined: it has none. */
  readonly address: string | undefined;
  readonly pid: number | undefined;
  /** It runs, be it paused. */
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** Wall clock. */
  readonly startedAt: number;
  /** How it wants to be asked to end. */
  readonly stopSignal: string;
  /** 0 = no limit. */
  readonly memoryBytes: number;
  readonly ending: Ending;
}

export function factsOf(inspected: Docker.ContainerInspectInfo, inside: number): ContainerFacts {
  const { State: state, Config: config, HostConfig: host, NetworkSettings: net } = inspected;
  // An engine that is being restarted leaves these out.
  const bindings = net.Ports?.[portName(inside)] ?? [];
  const port = Number(bindings.find(({ HostIp }) => HostIp === instanceHost)?.HostPort);
  const stopSignal = 'StopSignal' in config ? config.StopSignal : undefined;
  const [network] = Object.values(net.Networks);
  return {
    port: port > 0 ? port : undefined,
    address: network === undefined || network.IPAddress === '' ? undefined : network.IPAddress,
    pid: state.Pid > 0 ? state.Pid : undefined,
    isAlive: state.Running,
    isPaused: state.Paused,
    startedAt: Date.parse(state.StartedAt),
    stopSignal: typeof stopSignal === 'string' && stopSignal !== '' ? stopSignal : 'SIGTERM',
    memoryBytes: host.Memory ?? 0,
    ending: {
      code: state.ExitCode,
      signal: undefined,
      problem: undefined,
      ...(state.OOMKilled ? { outOfMemory: true } : {}),
    },
  };
}

/** Neither the engine nor we know how it ended: somebody has removed it. */
export const removed: Ending = { code: undefined, signal: undefined, problem: undefined };
