// What the DNS tests share: shards, publications, a log in memory, and questions as bytes.

import packet from 'dns-packet';
import type { ShardState, ShardVerdict } from '../../common/model/health.ts';
import {
  toClusterName,
  toRevision,
  toServiceKey,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { PublicationInput, ShardInput } from '../../coordinator/dns/publish/plan.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired, StoredObject } from '../../coordinator/desired/store.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';

export const nginx: ServiceKey = toServiceKey({ namespace: 'web', name: 'nginx' });
export const nginxGlobal = 'nginx.web.myfederation.svc.example.com';

export function nginxAt(...labels: readonly string[]): string {
  return ['nginx.web.myfederation.svc', ...labels, 'example.com'].join('.');
}

export interface ShardSketch {
  readonly cluster: string;
  readonly state?: ShardState;
  readonly zones?: readonly string[];
  readonly region?: string | undefined;
  readonly ips?: readonly string[];
  readonly hostnames?: readonly string[];
  readonly isDrained?: boolean;
  /** No verdict at all. */
  readonly isUnknown?: boolean;
  readonly weight?: number;
  readonly isBackup?: boolean;
  /** Its addresses are those of Nodes, which answer at these ports by name. */
  readonly nodePorts?: Readonly<Record<string, number>>;
}

export function topology(zones: readonly string[], region: string | undefined): Topology {
  return { zones, region, provider: undefined };
}

export function shard(sketch: ShardSketch): ShardInput {
  const { cluster, state = 'healthy', zones = [], region, ips = [], hostnames = [] } = sketch;
  const verdict: ShardVerdict = {
    key: nginx,
    cluster: toClusterName(cluster),
    state,
    reason: state,
    message: '',
    sinceMs: 1,
    ready: state === 'healthy' ? 1 : 0,
    total: 1,
    addresses: [...ips.map((ip) => ({ ip })), ...hostnames.map((hostname) => ({ hostname }))],
    clusterIps: [],
    ports: Object.entries(sketch.nodePorts ?? {}).map(([name, nodePort]) => ({
      name,
      port: 80,
      nodePort,
    })),
    ...(sketch.nodePorts === undefined ? {} : { isAtNodePorts: true }),
  };
  return {
    cluster: toClusterName(cluster),
    topology: topology(zones, region),
    verdict: sketch.isUnknown === true ? undefined : verdict,
    isDrained: sketch.isDrained ?? false,
    ...(sketch.weight === undefined ? {} : { weight: sketch.weight }),
    ...(sketch.isBackup === undefined ? {} : { isBackup: sketch.isBackup }),
  };
}

export function input(
  shards: readonly ShardSketch[],
  more: Partial<PublicationInput> = {},
): PublicationInput {
  return {
    key: nginx,
    serviceUid: 'uid-1',
    type: 'LoadBalancer',
    isHeadless: false,
    zone: 'example.com',
    federation: 'myfederation',
    ttlSeconds: 60,
    shards: shards.map(shard),
    previous: undefined,
    addressRules: { allowLoopback: false },
    ...more,
  };
}

/** `name type value value` of each record set, in its order. */
export function lines(publication: Publication): readonly string[] {
  return publication.recordSets.map(({ name, type, values }) => [name, type, ...values].join(' '));
}

export function question(name: string, type: packet.StringRecordType | string): Buffer {
  const questions = [{ type: type as packet.RecordType, name, class: 'IN' as const }];
  return packet.encode({ type: 'query', id: 4711, flags: packet.RECURSION_DESIRED, questions });
}

/** The reply by an independent decoder: its code, and its answers as `name type value`. */
export function decode(reply: Uint8Array | undefined): {
  readonly code: string;
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
} {
  if (reply === undefined) return { code: 'none', answers: [], authorities: [] };
  const decoded = packet.decode(Buffer.from(reply)) as packet.DecodedPacket & {
    readonly rcode: string;
  };
  const show = (answer: packet.Answer): string =>
    `${answer.name} ${answer.type} ${'data' in answer ? (typeof answer.data === 'string' ? answer.data : 'data') : ''}`;
  return {
    code: decoded.rcode,
    answers: (decoded.answers ?? []).map(show),
    authorities: (decoded.authorities ?? []).map(({ name, type }) => `${name} ${type}`),
  };
}

export interface LogFixture {
  readonly desired: Desired;
  /** Writes over whatever is there; undefined deletes. */
  put(key: LogKey, object: KubeObject | undefined): Promise<StoredObject>;
}

/** A replica's view of a log in memory. */
export async function openLog(): Promise<LogFixture> {
  const desired = await createDesired({
    store: createMemoryStore({ disk: createMemoryDisk('dns') }),
    // No turn of it is long: who rests waits for real turns, and virtual time goes on in them.
    clock: { ...systemClock, monotonicMs: () => 0 },
    log: silentLog,
    metrics: silentMetrics,
  });
  const put = async (key: LogKey, object: KubeObject | undefined): Promise<StoredObject> => {
    const expected = desired.get(key)?.revision ?? toRevision(0);
    const outcome = await desired.write({ key, object, expected });
    if (outcome.kind !== 'written') throw new Error(`${key} was not written: ${outcome.kind}`);
    return outcome.stored;
  };
  return { desired, put };
}
