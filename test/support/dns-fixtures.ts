// What the DNS tests share: shards, publications, a log in memory, and questions as bytes.

import packet from 'dns-packet';
import type { ShardState, ShardVerdict } from '../../common/model/health.ts';
import {
  toClusterName,
  toRevision,
  toServiceKey,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { PublicationInput, ShardInput } from '../../coordinator/dns/plan.ts';
import type {
  Desired,
  DesiredOutcome,
  DesiredWrite,
  StoredObject,
  ViewEvent,
} from '../../coordinator/desired/store.ts';

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
    ports: [],
  };
  return {
    cluster: toClusterName(cluster),
    topology: topology(zones, region),
    verdict: sketch.isUnknown === true ? undefined : verdict,
    isDrained: sketch.isDrained ?? false,
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

/** A log in memory, enough of Desired for one stage. */
export class MemoryDesired implements Desired {
  readonly #objects = new Map<LogKey, StoredObject>();
  readonly #watches = new Set<{
    prefix: string;
    onEvents: (events: readonly ViewEvent[]) => void;
  }>();
  readonly writes: DesiredWrite[] = [];
  #revision = 1;

  identity() {
    return { id: 'memory', epoch: 0 };
  }
  revision(): Revision {
    return toRevision(this.#revision);
  }
  oldestRevision(): Revision {
    return toRevision(0);
  }
  get(key: LogKey): StoredObject | undefined {
    return this.#objects.get(key);
  }
  *list(prefix: string): Iterable<StoredObject> {
    for (const [key, stored] of [...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (key.startsWith(prefix)) yield stored;
    }
  }
  watch(prefix: string, _from: Revision, onEvents: (events: readonly ViewEvent[]) => void) {
    const watch = { prefix, onEvents };
    this.#watches.add(watch);
    return { cancel: () => void this.#watches.delete(watch) };
  }
  reach(): Promise<boolean> {
    return Promise.resolve(true);
  }
  write(request: DesiredWrite): Promise<DesiredOutcome> {
    this.writes.push(request);
    const known = this.#objects.get(request.key);
    const current = known?.revision ?? toRevision(0);
    if (current !== request.expected) return Promise.resolve({ kind: 'conflict', current });
    return Promise.resolve({ kind: 'written', stored: this.put(request.key, request.object) });
  }
  /** Writes without asking. */
  put(key: LogKey, object: KubeObject | undefined): StoredObject {
    const previous = this.#objects.get(key);
    this.#revision += 1;
    const last = object ?? previous?.object;
    if (last === undefined) throw new Error(`nothing to delete at ${key}`);
    const current: StoredObject = {
      key,
      revision: toRevision(this.#revision),
      object: last,
      bytes: () => Buffer.from(JSON.stringify(last)),
    };
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, current);
    const kind = object === undefined ? 'deleted' : previous === undefined ? 'added' : 'modified';
    for (const { prefix, onEvents } of this.#watches) {
      if (key.startsWith(prefix)) onEvents([{ kind, current, previous }]);
    }
    return current;
  }
  barrier(): Promise<Revision> {
    return Promise.resolve(this.revision());
  }
  refuseWrites(): void {
    throw new Error('not refused in these tests');
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
