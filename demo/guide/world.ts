// What the steps of the guide act with and look at: kubectl, DNS, and the demo's processes.

import { sleep, type Clock } from '../../common/runtime/clock.ts';
import { federationContext, memberClusters, type MemberCluster } from '../clusters.ts';
import type { ControlAnswer } from '../control-socket.ts';
import type { DemoFile } from '../demo-file.ts';
import { askDns } from './dns-udp.ts';
import {
  differences,
  expectedAnswers,
  globalNameOf,
  regionNameOf,
  toAnswer,
  zoneNameOf,
} from './expected-dns.ts';
import type { Kubectl } from './kubectl-program.ts';
import { seen, StepFailure, type Seen } from './step.ts';

export interface ServiceView {
  readonly metadata: {
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly name?: string; readonly port: number }[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
  };
}

export interface World {
  readonly clusters: readonly MemberCluster[];
  readonly demo: DemoFile;
  readonly clock: Clock;
  /** What a step saw that a later one compares with. */
  readonly memory: Map<string, ServiceView | undefined>;
  /** kubectl at the federation. */
  federation(...args: readonly string[]): Promise<string>;
  /** kubectl at a member cluster. */
  member(cluster: string, args: readonly string[], input?: string): Promise<string>;
  /** The Service nginx there, or undefined. */
  nginxIn(context: string): Promise<ServiceView | undefined>;
  ctl(verb: 'kill' | 'stop' | 'cont' | 'start', part: string): Promise<string>;
  /** Public addresses of the load balancers, by cluster; read once they are known. */
  addresses(): Promise<ReadonlyMap<string, string>>;
  /** What each zone, region and global name answers now. */
  answers(): Promise<ReadonlyMap<string, string>>;
  /** Whether DNS says exactly that these clusters have healthy shards. */
  dnsShows(healthy: readonly string[]): Promise<Seen>;
  /** TTL of the global name's answer, in seconds. */
  ttlSeconds(): Promise<number | undefined>;
  /** What the resolver of a cluster answers to its Pods. */
  resolve(cluster: string, name: string): Promise<string>;
  /** Looks again and again until it is as wanted; throws StepFailure when the time is up. */
  eventually(withinMs: number, look: () => Promise<Seen>): Promise<string>;
  /** Looks again and again and fails at the first look that is not as wanted. */
  steadily(forMs: number, look: () => Promise<Seen>): Promise<string>;
}

const pollMs = 100;

export function createWorld(options: {
  readonly demo: DemoFile;
  readonly kubectl: Kubectl;
  readonly act: (verb: string, part: string) => Promise<ControlAnswer>;
  readonly clock: Clock;
}): World {
  const { demo, kubectl, clock } = options;
  const clusters = memberClusters;
  let known: ReadonlyMap<string, string> | undefined;
  const names = [
    globalNameOf(demo),
    ...new Set(clusters.map(({ region }) => regionNameOf(region, demo))),
    ...clusters.map((cluster) => zoneNameOf(cluster, demo)),
  ];

  const nginxIn = async (context: string): Promise<ServiceView | undefined> => {
    const text = await kubectl.run(context, [
      'get',
      'service',
      'nginx',
      '--ignore-not-found',
      '-o',
      'json',
    ]);
    return text.trim() === '' ? undefined : (JSON.parse(text) as ServiceView); // printed by kubectl
  };

  const addresses = async (): Promise<ReadonlyMap<string, string>> => {
    if (known !== undefined) return known;
    const found = new Map<string, string>();
    for (const { name } of clusters) {
      const address = publicAddressOf(await nginxIn(name));
      if (address === undefined)
        throw new StepFailure(`the load balancer in ${name} has no address`);
      found.set(name, address);
    }
    known = found;
    return found;
  };

  const answers = async (): Promise<ReadonlyMap<string, string>> => {
    const replies = await Promise.all(names.map((name) => askDns(demo.dns, name, clock)));
    return new Map(names.map((name, index) => [name, toAnswer(replies[index])]));
  };

  const ctl: World['ctl'] = async (verb, part) => {
    const answer = await options.act(verb, part);
    if (!answer.ok) throw new StepFailure(answer.message);
    return answer.message;
  };

  return {
    clusters,
    demo,
    clock,
    memory: new Map(),
    federation: (...args) => kubectl.run(federationContext, args),
    member: (cluster, args, input) => kubectl.run(cluster, args, input),
    nginxIn,
    ctl,
    addresses,
    answers,
    dnsShows: async (healthy) => {
      const wanted = expectedAnswers(clusters, await addresses(), new Set(healthy), demo);
      const answered = await answers();
      const faults = differences(wanted, answered);
      if (faults.length > 0) return seen(false, faults.join('; '));
      return seen(true, `${globalNameOf(demo)} -> ${answered.get(globalNameOf(demo)) ?? ''}`);
    },
    ttlSeconds: async () =>
      (await askDns(demo.dns, globalNameOf(demo), clock))?.answers[0]?.ttlSeconds,
    resolve: async (cluster, name) =>
      toAnswer(await askDns(demo.clusters[cluster]?.resolver ?? '', name, clock)),
    eventually: (withinMs, look) => lookUntil(clock, withinMs, look),
    steadily: (forMs, look) => lookFor(clock, forMs, look),
  };
}

/** The address that clients outside can use: not the private one of an OpenStack load balancer. */
export function publicAddressOf(service: ServiceView | undefined): string | undefined {
  const ingress = service?.status?.loadBalancer?.ingress ?? [];
  return ingress.map(({ ip }) => ip).find((ip) => ip?.startsWith('127.') === true);
}

async function lookUntil(
  clock: Clock,
  withinMs: number,
  look: () => Promise<Seen>,
): Promise<string> {
  const start = clock.monotonicMs();
  for (;;) {
    const last = await look();
    if (last.ok) return last.saw;
    const passedMs = clock.monotonicMs() - start;
    if (passedMs > withinMs) {
      throw new StepFailure(`still not so after ${Math.round(passedMs / 1000)} s: ${last.saw}`);
    }
    await sleep(clock, pollMs);
  }
}

async function lookFor(clock: Clock, forMs: number, look: () => Promise<Seen>): Promise<string> {
  const start = clock.monotonicMs();
  for (;;) {
    const last = await look();
    const passedMs = clock.monotonicMs() - start;
    if (!last.ok) throw new StepFailure(`changed after ${Math.round(passedMs)} ms: ${last.saw}`);
    if (passedMs > forMs) return last.saw;
    await sleep(clock, pollMs);
  }
}
