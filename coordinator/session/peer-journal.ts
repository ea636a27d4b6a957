// What agents' resolvers are told of each Service's shards: the whole table once, then only the
// shards that changed since. A journal remembers which shards changed, in order, and never how:
// what is sent is what is known when it is sent. A link remembers how far it was told.
// Input: the changes, and how far. Output: messages, made once for all that are equally far, and
// therefore (the listener keeps the bytes of a message that it sends again) encoded once.
//
//   J1. Whoever folds all messages, in order, has the table that they were made from.
//   J2. A message has a bound, and so has the journal: who fell behind it gets the whole table.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { PeerChange } from '../../common/model/peer-table.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import type { PeerSource } from '../../common/model/views.ts';

export type PeersMessage = Extract<CoordinatorMessage, { kind: 'peers' }>;

interface Due {
  readonly cluster: ClusterName;
  readonly key: ServiceKey;
}

// Some 200 KiB: below 10 ms to encode, far below the most that a message may have.
const shardsPerMessage = 2_000;
// Half the shards of the largest federation; who has missed as many is told all as cheaply.
const dueMax = 100_000;

export class PeerJournal {
  readonly #source: PeerSource;
  readonly #shardsPerMessage: number;
  readonly #dueMax: number;
  /** Messages from there to the head, for all that have been told as far; undefined: nothing. */
  readonly #made = new Map<number | undefined, readonly PeersMessage[]>();
  #due: Due[] = [];
  /** How many changes were forgotten. */
  #forgotten = 0;

  constructor(
    source: PeerSource,
    bounds: { readonly shardsPerMessage?: number; readonly dueMax?: number } = {},
  ) {
    this.#source = source;
    this.#shardsPerMessage = bounds.shardsPerMessage ?? shardsPerMessage;
    this.#dueMax = bounds.dueMax ?? dueMax;
  }

  /** How far one has been told who has all messages. */
  get head(): number {
    return this.#forgotten + this.#due.length;
  }

  note({ cluster, key }: Due): void {
    this.#due.push({ cluster, key });
    this.#made.clear();
    // By halves, so that a note costs the same on average.
    if (this.#due.length > this.#dueMax) this.forgetUntil(this.head - Math.floor(this.#dueMax / 2));
  }

  /** Everybody has been told as far. */
  forgetUntil(told: number): void {
    const count = Math.min(told, this.head) - this.#forgotten;
    if (count <= 0) return;
    this.#due = this.#due.slice(count);
    this.#forgotten += count;
  }

  /** From where one has been told, undefined for nothing yet, to the head. */
  messagesSince(told: number | undefined): readonly PeersMessage[] {
    if (told === this.head) return [];
    const from = told === undefined || told < this.#forgotten ? undefined : told;
    const known = this.#made.get(from);
    if (known !== undefined) return known;
    const messages = from === undefined ? this.#wholeTable() : this.#changesSince(from);
    this.#made.set(from, messages);
    return messages;
  }

  #wholeTable(): readonly PeersMessage[] {
    const changes = [...this.#source.services()].sort().flatMap((key): PeerChange[] => {
      const service = this.#source.peers(key);
      return service === undefined ? [] : [{ ...service, removedClusters: [], isDelta: false }];
    });
    const pages = toPages(changes, this.#shardsPerMessage);
    const last = Math.max(pages.length - 1, 0);
    // An empty table is told, too.
    return (pages.length === 0 ? [[]] : pages).map((upserts, index) => {
      return { kind: 'peers', upserts, removals: [], isFull: index === 0, hasMore: index < last };
    });
  }

  #changesSince(from: number): readonly PeersMessage[] {
    const clustersOf = new Map<ServiceKey, Set<ClusterName>>();
    for (const { key, cluster } of this.#due.slice(from - this.#forgotten)) {
      const clusters = clustersOf.get(key);
      if (clusters === undefined) clustersOf.set(key, new Set([cluster]));
      else clusters.add(cluster);
    }
    const changes = [...clustersOf.keys()].sort().map((key) => {
      return this.#toChange(key, [...(clustersOf.get(key) ?? [])].sort());
    });
    return toPages(changes, this.#shardsPerMessage).map((page) => ({
      kind: 'peers',
      upserts: page.filter((change) => !this.#isGone(change)),
      removals: page.filter((change) => this.#isGone(change)).map(({ key }) => key),
      isFull: false,
      hasMore: false,
    }));
  }

  #toChange(key: ServiceKey, clusters: readonly ClusterName[]): PeerChange {
    const known = clusters.map((cluster) => ({ cluster, peer: this.#source.peer(cluster, key) }));
    return {
      key,
      shards: known.flatMap(({ peer }) => peer ?? []),
      removedClusters: known.flatMap(({ cluster, peer }) => (peer === undefined ? cluster : [])),
      isDelta: true,
    };
  }

  /** Its last shard left. */
  #isGone({ key, shards, removedClusters }: PeerChange): boolean {
    const isLess = shards.length === 0 && removedClusters.length > 0;
    return isLess && this.#source.peers(key) === undefined;
  }
}

/** A larger single Service goes alone. */
function toPages(changes: readonly PeerChange[], shardsMax: number): readonly PeerChange[][] {
  const pages: PeerChange[][] = [];
  let room = 0;
  for (const change of changes) {
    const size = Math.max(1, change.shards.length + change.removedClusters.length);
    if (size > room || pages.length === 0) {
      pages.push([]);
      room = shardsMax;
    }
    pages.at(-1)?.push(change);
    room -= size;
  }
  return pages;
}
