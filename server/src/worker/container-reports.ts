// Where models in containers say how their work goes: the desk, on the address under which the
// containers of a network know this machine. Only that network reaches it, and an instance speaks
// below a path of its own that nobody can guess.

import type { Component } from '../kernel/component.ts';
import { inNetwork, parseIp, parseNetwork, unwrapped } from '../kernel/ip-network.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { type ReportAddresses, ReportDesk } from './report-desk.ts';

/** A network of an engine, as the engine tells of it. */
export interface ContainerNetwork {
  /** This machine, as its containers know it. */
  readonly gateway: string;
  /** Of all its containers: `172.17.0.0/16`. */
  readonly subnet: string;
}

/** What all addresses of an instance begin with; or why it gets none. */
export type ReportBase =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly why: string };

/** Instances whose paths are known. */
const instancesMax = 10_000;

export class ContainerReports implements Component {
  readonly #parts: { readonly random: Random; readonly log: Log };
  /** By gateway. */
  readonly #desks = new Map<string, ReportDesk>();
  readonly #instances = new Map<string, { readonly desk: ReportDesk; readonly path: string }>();

  constructor(parts: { readonly random: Random; readonly log: Log }) {
    this.#parts = parts;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await Promise.all([...this.#desks.values()].map((desk) => desk.stop()));
  }

  /** The instance begins in a container of that network; what it had before is void. */
  async baseOf(instance: string, { gateway, subnet }: ContainerNetwork): Promise<ReportBase> {
    this.#instances.delete(instance);
    const network = parseNetwork(subnet);
    if (network === undefined || parseIp(gateway) === undefined) {
      return { ok: false, why: `the network ${subnet} with the gateway ${gateway} is unknown` };
    }
    const known = this.#desks.get(gateway);
    const desk =
      known ??
      new ReportDesk({
        ...this.#parts,
        host: gateway,
        hears: (address) => {
          const from = parseIp(address);
          return from !== undefined && inNetwork(unwrapped(from), network);
        },
      });
    try {
      this.#desks.set(gateway, desk);
      await desk.start();
    } catch (error) {
      this.#desks.delete(gateway);
      const why = error instanceof Error ? error.message : String(error);
      return { ok: false, why: `containers know this machine as ${gateway}: ${why}` };
    }
    const path = `/${this.#parts.random.id()}`;
    this.#instances.set(instance, { desk, path });
    for (const oldest of this.#instances.keys()) {
      if (this.#instances.size <= instancesMax) break;
      this.#instances.delete(oldest);
    }
    return { ok: true, url: `${desk.url}${path}` };
  }

  /** Addresses for the calls of an instance; it may get its base later. */
  of(instance: string): ReportAddresses {
    return {
      open: (call) => {
        const found = this.#instances.get(instance);
        return found?.desk.openBelow(found.path, call);
      },
      close: (url) => {
        for (const desk of this.#desks.values()) desk.close(url);
      },
    };
  }
}
