// The network that containers get when they ask for none, as the engine tells of it.

import type Docker from 'dockerode';
import type { DockerEngine } from './engine.ts';

/** How the containers of a network know this machine, and who they are. */
export interface ContainerNetwork {
  readonly gateway: string;
  readonly subnet: string;
}

/** Where models in containers report. */
export interface ContainerReportDesk {
  /** What all addresses of an instance begin with; or why it gets none. */
  baseOf(
    instance: string,
    network: ContainerNetwork,
  ): Promise<
    { readonly ok: true; readonly url: string } | { readonly ok: false; readonly why: string }
  >;
}

const usualNetwork = 'bridge';

/** undefined: the engine has no such network, or one without a gateway. */
export async function usualNetworkOf(
  engine: DockerEngine,
  docker: Docker,
): Promise<ContainerNetwork | undefined> {
  const inspected: Docker.NetworkInspectInfo = await engine.call(() =>
    docker.getNetwork(usualNetwork).inspect(),
  );
  const found = inspected.IPAM?.Config?.find(({ Gateway: gateway }) => gateway !== undefined);
  const { Gateway: gateway, Subnet: subnet } = found ?? {};
  return gateway === undefined || subnet === undefined ? undefined : { gateway, subnet };
}
