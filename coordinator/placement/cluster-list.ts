// The Clusters of the log as a list, read once per change instead of once per Service.

import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, toLogPrefix, type ClusterName } from '../../common/model/ids.ts';
import type { Desired } from '../desired/store.ts';
import { isLeaving } from './plan.ts';

export const clustersPrefix = toLogPrefix(isthmusGroup, 'clusters');

interface Read {
  readonly all: readonly Cluster[];
  readonly names: ReadonlySet<ClusterName>;
  readonly leaving: ReadonlySet<ClusterName>;
}

export class ClusterList {
  readonly #desired: Desired;
  #read: Read | undefined;
  #version = 0;

  constructor(desired: Desired) {
    this.#desired = desired;
  }

  /** A Cluster changed: the next reader reads again. */
  invalidate(): void {
    this.#read = undefined;
  }

  /** Something changed that decides who gets a shard. */
  change(): void {
    this.#version += 1;
  }

  /** Another one after each change(). */
  version(): number {
    return this.#version;
  }

  read(): Read {
    this.#read ??= this.#load();
    return this.#read;
  }

  /** It is being removed from the federation. */
  isLeaving(cluster: ClusterName): boolean {
    return this.read().leaving.has(cluster);
  }

  #load(): Read {
    const all = [...this.#desired.list(clustersPrefix)].map(({ object }) => object as Cluster);
    const namesOf = (clusters: readonly Cluster[]): ReadonlySet<ClusterName> =>
      new Set(clusters.map(({ metadata }) => toClusterName(metadata.name)));
    return { all, names: namesOf(all), leaving: namesOf(all.filter(isLeaving)) };
  }
}
