// Load balancers of all simulated clusters, and the Prober that asks one of them from a site: it
// answers when its cluster has power, a ready pod is behind it and no cut lies between.

import type { LogKey } from '../../common/model/ids.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import type { Prober } from '../../common/runtime/prober.ts';
import type { LoadBalancers, LoadBalancerWish } from '../../demo/cluster/load-balancers.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

export class Balancers {
  readonly #clock: Clock;
  readonly #wishes = new Map<string, Map<LogKey, LoadBalancerWish>>();
  readonly #dark = new Set<string>();
  /** By address: the ports that answer, and since when just these do. */
  readonly #served = new Map<string, { readonly ports: string; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(cluster: string): LoadBalancers {
    const wishes = new Map<LogKey, LoadBalancerWish>();
    this.#wishes.set(cluster, wishes);
    return {
      settle: (service, wish) => {
        for (const address of wishes.get(service)?.addresses ?? []) this.#served.delete(address);
        if (wish === undefined) wishes.delete(service);
        else wishes.set(service, wish);
        this.#look();
        return Promise.resolve(undefined);
      },
      close: () => Promise.resolve(),
    };
  }

  setPower(cluster: string, isOn: boolean): void {
    if (isOn) this.#dark.delete(cluster);
    else this.#dark.add(cluster);
    this.#look();
  }

  hasPower(cluster: string): boolean {
    return !this.#dark.has(cluster);
  }

  /** Cluster of the balancer at this address. */
  clusterOf(address: string): string | undefined {
    for (const [cluster, wishes] of this.#wishes) {
      for (const { addresses } of wishes.values()) if (addresses.includes(address)) return cluster;
    }
    return undefined;
  }

  answers(address: string, port?: number): boolean {
    for (const [cluster, wishes] of this.#wishes) {
      if (this.#dark.has(cluster)) continue;
      for (const { addresses, pods, ports } of wishes.values()) {
        const isHere = addresses.includes(address) && pods.length > 0;
        if (isHere && (port === undefined ? ports.length > 0 : ports.includes(port))) return true;
      }
    }
    return false;
  }

  /** How long exactly what answers now at this address has answered; 0 when a port does not. */
  steadyMs(address: string, ports: readonly number[]): number {
    const isWhole = ports.length > 0 && ports.every((port) => this.answers(address, port));
    const sinceMs = this.#served.get(address)?.sinceMs;
    return isWhole && sinceMs !== undefined ? this.#clock.monotonicMs() - sinceMs : 0;
  }

  #look(): void {
    const sinceMs = this.#clock.monotonicMs();
    for (const [cluster, wishes] of this.#wishes) {
      for (const { addresses, ports, pods } of wishes.values()) {
        const isUp = pods.length > 0 && !this.#dark.has(cluster);
        const served = isUp ? ports.join() : '';
        for (const address of addresses) {
          if (this.#served.get(address)?.ports !== served) {
            this.#served.set(address, { ports: served, sinceMs });
          }
        }
      }
    }
  }
}

export interface ProberOptions {
  readonly balancers: Balancers;
  readonly network: Network;
  readonly trace: Trace;
  /** A planted bug: says that an address does not answer although it does. */
  readonly lies?: (cluster: string) => boolean;
}

export function createSimProber(options: ProberOptions, process: SimProcess, site: string): Prober {
  const { balancers, network, trace } = options;
  const probe = async (target: ProbeTarget, deadlineMs: number): Promise<ProbeResult> => {
    const cluster = balancers.clusterOf(target.address);
    const say = (reason: string, roundTripMs: number): ProbeResult => {
      trace.note(`probe ${site} -> ${target.address}:${target.port} ${reason || 'ok'}`);
      return { target, ok: reason === '', roundTripMs, reason };
    };
    const isLost = (): boolean =>
      cluster === undefined ||
      !balancers.hasPower(cluster) ||
      network.isBroken(site, cluster) ||
      options.lies?.(cluster) === true;
    const roundTripMs =
      cluster === undefined
        ? deadlineMs
        : network.latencyMs(site, cluster) + network.latencyMs(cluster, site);
    if (isLost() || roundTripMs >= deadlineMs) {
      await sleep(process.clock, deadlineMs);
      return say('TimedOut', deadlineMs);
    }
    await sleep(process.clock, roundTripMs / 2);
    const isThere = balancers.answers(target.address, target.port);
    if (isLost()) {
      await sleep(process.clock, deadlineMs - roundTripMs / 2);
      return say('TimedOut', deadlineMs);
    }
    await sleep(process.clock, roundTripMs / 2);
    return isThere ? say('', roundTripMs) : say('Refused', roundTripMs);
  };
  return { probe };
}
