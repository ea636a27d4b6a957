// The Clusters of the log as a list, read once per change instead of once per Service.

import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, toLogPrefix, type ClusterName } from '../../common/model/ids.ts';
import type { Desired } from '../desired/store.ts';

export const clustersPrefix = toLogPrefix(isthmusGroup, 'clusters');

interface Read {
  readonly all: readonly Cluster[];
  readonly names: ReadonlySet<ClusterName>;
}

export class ClusterList {
  readonly #desired: Desired;
  #read: Read | undefined;

  constructor(desired: Desired) {
    this.#desired = desired;
  }

  /** A Cluster changed: the next reader reads again. */
  invalidate(): void {
    this.#read = undefined;
  }

  read(): Read {
    this.#read ??= this.#load();
    return this.#read;
  }

  #load(): Read {
    const all = [...this.#desired.list(clustersPrefix)].map(({ object }) => object as Cluster);
    return { all, names: new Set(all.map(({ metadata }) => toClusterName(metadata.name))) };
  }
}
