// A launch → what the Docker Engine is asked for. Pure.

import type Docker from 'dockerode';
import type { ContainerSource, ShellText } from '../../deployment/instances.ts';
import type { Launch } from '../driver.ts';
import { instanceHost } from '../port.ts';
import { labelsOf } from './labels.ts';

/** What the engine keeps of a container's output; we have our own copy, bounded too. */
const keptOutput = { 'max-size': '16m', 'max-file': '2' } as const;

// The shell must outlive the program, or its end would take the program with it before that had
// its time to finish: it waits for what got the signal together with it.
const waitForPrograms = `trap 'trap - TERM; wait; exit 143' TERM\n`;

export interface Creation {
  readonly launch: Launch;
  readonly source: ContainerSource;
  /** Of the data folder. */
  readonly folder: string;
  /** Of the container; unique on its engine. */
  readonly name: string;
  /** Where its model reports how its work goes; undefined: nowhere. */
  readonly reportUrl?: string | undefined;
}

export function createOptions(creation: Creation): Docker.ContainerCreateOptions {
  const { launch, source, folder, name, reportUrl } = creation;
  const port = portName(source.port);
  return {
    name,
    Image: source.image,
    ...programOf(source.run),
    Env: environmentOf(launch, source, reportUrl),
    ...(source.workDir === undefined ? {} : { WorkingDir: source.workDir }),
    Labels: labelsOf(launch, folder, source.port),
    ExposedPorts: { [port]: {} },
    HostConfig: hostConfig(launch, source),
  };
}

/** As the engine names a port inside. */
export function portName(port: number): string {
  return `${port}/tcp`;
}

function hostConfig(launch: Launch, source: ContainerSource): Docker.HostConfig {
  const { cpuMillis, memoryBytes } = launch.resources;
  return {
    Init: true,
    RestartPolicy: { Name: 'no' },
    // An empty port lets the engine choose a free one.
    PortBindings: { [portName(source.port)]: [{ HostIp: instanceHost, HostPort: '' }] },
    LogConfig: { Type: 'json-file', Config: keptOutput },
    Mounts: source.mounts.map(({ from, to, readOnly }) => ({
      Type: 'bind',
      Source: from,
      Target: to,
      ReadOnly: readOnly,
    })),
    ...(cpuMillis === 0 ? {} : { NanoCpus: cpuMillis * 1_000_000 }),
    // Equal limits: what is over the promised memory does not creep into swap.
    ...(memoryBytes === 0 ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(source.shmBytes === 0 ? {} : { ShmSize: source.shmBytes }),
    ...(launch.devices.length === 0 ? {} : { DeviceRequests: [deviceRequest(launch.devices)] }),
  };
}

/** The engine knows accelerators of NVIDIA only; their own count is what we number them by. */
function deviceRequest(devices: readonly number[]): Docker.DeviceRequest {
  return { Driver: '', DeviceIDs: devices.map(String), Capabilities: [['gpu']] };
}

function programOf(
  run: ContainerSource['run'],
): Pick<Docker.ContainerCreateOptions, 'Entrypoint' | 'Cmd'> {
  if (run === undefined) return {};
  if ('form' in run) return { Entrypoint: ['/bin/sh', '-c'], Cmd: [shellText(run)] };
  return { Entrypoint: [...run], Cmd: [] };
}

function shellText({ text }: ShellText): string {
  return `${waitForPrograms}${text}`;
}

function environmentOf(
  launch: Launch,
  source: ContainerSource,
  reportUrl: string | undefined,
): string[] {
  // Says to the init that signals are for the whole group, as they are for processes.
  const group = source.run !== undefined && 'form' in source.run;
  const all = {
    ...(group ? { TINI_KILL_PROCESS_GROUP: '1' } : {}),
    ...source.env,
    PORT: String(source.port),
    HOST: '0.0.0.0',
    SLUICE_SERVICE: launch.service,
    SLUICE_INSTANCE: launch.instance,
    ...(reportUrl === undefined ? {} : { SLUICE_REPORT_URL: reportUrl }),
  };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}
