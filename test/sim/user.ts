// People at work: one at the federation's API (kubectl), one who watches it, and the admins of the
// member clusters, who edit what is theirs and sometimes what is ours. What the API acknowledged
// and what the watcher saw is told to the checkers.

import {
  splitServiceKey,
  toLogKey,
  toRevision,
  type LogKey,
  type Revision,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';
import { describeError } from '../../common/runtime/log.ts';
import { madKeys } from './mad-coordinator.ts';
import { ask } from './ask.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { Trace } from './trace.ts';

export const namespace = 'default';
export const serviceNames = ['web', 'shop', 'mail', 'chat'] as const;
export const noteAnnotation = 'example.com/note';
/** What admins of member clusters make of a shard's port. */
export const handPort = 8_081;
export const foreignName = 'foreign';

/** A write that the API answered with success. */
export interface Acknowledged {
  readonly key: LogKey;
  readonly revision: Revision;
  readonly isDelete: boolean;
}

/** What a client saw: an event of a watch, or the newest revision that a read came from. */
export type Seen =
  | { readonly kind: 'event'; readonly revision: Revision; readonly type: string }
  | { readonly kind: 'relisted'; readonly revision: Revision }
  | {
      readonly kind: 'read';
      readonly key: LogKey;
      readonly revision: Revision | undefined;
      readonly notBefore: Acknowledged;
    };

export interface UserOptions {
  readonly coordinator: SimCoordinator;
  readonly clusters: readonly SimCluster[];
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly onAcknowledged: (acknowledged: Acknowledged) => void;
  readonly onSeen: (seen: Seen) => void;
  /** A Service that an admin is about to delete by hand. */
  readonly onHandDelete: (cluster: string, uid: string) => void;
}

const servicesPath = `/api/v1/namespaces/${namespace}/services`;
const memberServices: ResourcePath = { apiVersion: 'v1', plural: 'services', namespace };

export class User {
  readonly #options: UserOptions;
  /** Services that are there, as far as the user knows. */
  readonly #known = new Set<LogKey>();
  #turn = 0;
  #isAtWork = false;

  constructor(options: UserOptions) {
    this.#options = options;
  }

  /** Works until stop(), a thing every `everyMs` or so. */
  start(everyMs: number): void {
    this.#isAtWork = true;
    const { clock, chance } = this.#options;
    const next = (): void => {
      if (!this.#isAtWork) return;
      this.#act();
      clock.after(everyMs * (0.3 + 1.4 * chance.fraction()), next);
    };
    clock.after(0, next);
  }

  stop(): void {
    this.#isAtWork = false;
  }

  /** What stands in the members from the beginning: some Services of others, some to be adopted. */
  async prepare(): Promise<void> {
    const { clusters, chance } = this.#options;
    for (const cluster of clusters) {
      const client = cluster.kube.client('admin');
      await client.create(memberServices, toService(foreignName, { note: '0' }, 8080));
      await prepareOwn(client);
      for (const name of serviceNames) {
        if (chance.isTrue(0.2)) {
          await client.create(memberServices, toService(name, { note: '0' }, 80));
        }
        if (chance.isTrue(0.8)) {
          await cluster.setPod({ name: `${name}-1`, app: name, isReady: true });
        }
      }
    }
  }

  #act(): void {
    const { chance, trace } = this.#options;
    this.#turn += 1;
    const name = chance.pick(serviceNames);
    const what = chance.fraction();
    const work = what < 0.45 ? this.#atFederation(name) : this.#atMember(name);
    work.catch((error: unknown) => trace.note(`user gave up: ${describeError(error)}`));
  }

  async #atFederation(name: string): Promise<void> {
    const { chance } = this.#options;
    const path = `${servicesPath}/${name}`;
    const key = toLogKey({ group: '', resource: 'services', namespace, name });
    const what = chance.fraction();
    const rev = String(this.#turn);
    // Mostly what makes sense, sometimes what a person who knows no better would do.
    const isThere = this.#known.has(key) !== chance.isTrue(0.1);
    if (!isThere) {
      const port = 80 + chance.below(3);
      const object = toService(name, {}, port);
      await this.#write(key, { method: 'POST', target: servicesPath, body: object });
    } else if (what < 0.4) {
      const body = { metadata: { labels: { rev } } };
      await this.#write(key, { ...patch, target: path, body });
    } else if (what < 0.7) {
      const port = 80 + chance.below(3);
      const body = { spec: { ports: [{ name: 'http', port, protocol: 'TCP' }] } };
      await this.#write(key, { ...patch, target: path, body });
    } else {
      const propagationPolicy = chance.isTrue(0.4) ? 'Orphan' : 'Background';
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy };
      await this.#write(key, { method: 'DELETE', target: path, body });
    }
  }

  async #write(
    key: LogKey,
    request: { method: string; target: string; body: object; contentType?: string },
  ): Promise<void> {
    const { chance, trace, onAcknowledged, onSeen } = this.#options;
    const label = `user ${request.method} ${key}`;
    const answer = await ask(this.#options, request);
    trace.note(`${label} ${answer?.status ?? 'no answer'}`);
    if (answer === undefined) return;
    const isDelete = request.method === 'DELETE';
    if (isDelete || answer.status === 404) this.#known.delete(key);
    else this.#known.add(key);
    if (answer.status >= 300) return;
    const revision = revisionOf(answer.object);
    if (revision === undefined) return; // a Status: deleted at once
    const acknowledged = { key, revision, isDelete };
    onAcknowledged(acknowledged);
    if (!chance.isTrue(0.3)) return;
    const read = await ask(this.#options, {
      method: 'GET',
      target: `${servicesPath}/${nameOf(key)}`,
    });
    if (read === undefined || (read.status !== 200 && read.status !== 404)) return;
    const found = read.status === 200 ? revisionOf(read.object) : undefined;
    onSeen({ kind: 'read', key, revision: found, notBefore: acknowledged });
  }

  async #atMember(name: string): Promise<void> {
    const { clusters, chance, trace } = this.#options;
    const usable = clusters.filter((cluster) => cluster.isUsable());
    if (usable.length === 0) return;
    const cluster = chance.pick(usable);
    const label = `admin of ${cluster.place.name}`;
    const what = chance.fraction();
    if (what < 0.55) {
      const isReady = chance.isTrue(0.6);
      trace.note(`${label}: pod of ${name} ${isReady ? 'ready' : 'not ready'}`);
      await cluster.setPod({ name: `${name}-1`, app: name, isReady });
    } else if (what < 0.65) {
      trace.note(`${label}: pod of ${name} deleted`);
      await cluster.deletePod(`${name}-1`);
    } else {
      await this.#editByHand(cluster, name, what);
    }
  }

  async #editByHand(cluster: SimCluster, name: string, what: number): Promise<void> {
    const { trace, onHandDelete } = this.#options;
    const client: KubeClient = cluster.kube.client('admin');
    const label = `admin of ${cluster.place.name}`;
    const service = await client.get(memberServices, name);
    if (service === undefined) return;
    if (what < 0.8) {
      trace.note(`${label}: notes something on ${name}`);
      const metadata = { annotations: { [noteAnnotation]: String(this.#turn) } };
      await client.mergePatch(memberServices, name, { metadata }, 'admin');
    } else if (what < 0.92) {
      trace.note(`${label}: edits the ports of ${name}`);
      const ports = [{ name: 'http', port: handPort, protocol: 'TCP' }];
      await client.mergePatch(memberServices, name, { spec: { ports } }, 'admin');
    } else {
      trace.note(`${label}: deletes ${name}`);
      const { uid } = service.metadata;
      onHandDelete(cluster.place.name, uid ?? '');
      await client.delete(memberServices, name, { uid });
    }
  }
}

/** What every cluster has of its own. */
async function prepareOwn(client: KubeClient): Promise<void> {
  for (const at of madKeys.map(splitServiceKey)) {
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: at,
      spec: { type: 'ClusterIP', ports: [{ port: 443, protocol: 'TCP' }] },
    };
    await client.create({ ...memberServices, namespace: at.namespace }, object);
  }
}

const patch = { method: 'PATCH', contentType: 'application/merge-patch+json' } as const;

function toService(name: string, { note }: { note?: string }, port: number): KubeObject {
  const annotations = note === undefined ? {} : { annotations: { [noteAnnotation]: note } };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, ...annotations },
    spec: {
      type: 'LoadBalancer',
      selector: { app: name },
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    },
  };
}

export function revisionOf(object: Partial<KubeObject>): Revision | undefined {
  const text = object.metadata?.resourceVersion;
  return text === undefined || object.kind === 'Status' ? undefined : toRevision(Number(text));
}

function nameOf(key: LogKey): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
