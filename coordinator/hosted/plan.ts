// Which hosted agents should run. Pure: Clusters, credentials and children in, acts out.
//
//   D1. An agent runs for each Cluster that is there and has credentials, also while the Cluster is
//       leaving: its agent has to remove the shards.
//   D2. Credentials of a Cluster that is gone are forgotten, and its folder goes once nothing runs
//       in it. Those of an earlier Cluster of the same name are of one that is gone.
//   D3. Bounded: the clusters that have waited longest (by creation) are served first, and those
//       that run already keep their place.
//   D4. One child for a Cluster; other credentials are told to the one that runs.

export interface HostedCluster {
  readonly name: string;
  readonly uid: string;
  readonly createdAt: string;
}

export interface HostedCredentials {
  readonly name: string;
  /** Of the Cluster that they were written for. */
  readonly uid: string;
  readonly revision: number;
}

export interface HostedChild {
  readonly name: string;
  readonly uid: string;
  readonly state: 'running' | 'stopping' | 'waiting';
  /** Of the credentials that it was told last. */
  readonly revision: number;
  /** Of one that waits to be started again. */
  readonly dueMs: number;
}

export interface HostedFacts {
  readonly clusters: readonly HostedCluster[];
  readonly credentials: readonly HostedCredentials[];
  readonly children: readonly HostedChild[];
  readonly folders: readonly string[];
  readonly agentsMax: number;
  readonly nowMs: number;
}

export type HostedAct =
  | { readonly kind: 'start' | 'replace' | 'stop'; readonly name: string; readonly uid: string }
  /** The next start is not due yet. */
  | { readonly kind: 'wait'; readonly name: string; readonly uid: string; readonly delayMs: number }
  /** There are as many as may be. */
  | { readonly kind: 'refuse'; readonly name: string; readonly uid: string }
  | { readonly kind: 'forget'; readonly name: string }
  | { readonly kind: 'removeFolder'; readonly uid: string };

export function planHosted(facts: HostedFacts): readonly HostedAct[] {
  const { clusters, credentials, children } = facts;
  const byName = new Map(clusters.map((cluster) => [cluster.name, cluster]));
  const isWanted = ({ name, uid }: { readonly name: string; readonly uid: string }): boolean =>
    byName.get(name)?.uid === uid &&
    credentials.some((each) => each.name === name && each.uid === uid);
  const forget = credentials
    .filter(({ name, uid }) => byName.get(name)?.uid !== uid)
    .map(({ name }): HostedAct => ({ kind: 'forget', name }));
  const stop = children
    .filter((child) => child.state !== 'stopping' && !isWanted(child))
    .map(({ name, uid }): HostedAct => ({ kind: 'stop', name, uid }));
  return [...stop, ...forget, ...planRunning(facts, byName), ...planFolders(facts)];
}

function planRunning(
  { credentials, children, agentsMax, nowMs }: HostedFacts,
  byName: ReadonlyMap<string, HostedCluster>,
): readonly HostedAct[] {
  const childOf = (uid: string): HostedChild | undefined =>
    children.find((child) => child.uid === uid);
  const wanted = credentials
    .filter(({ name, uid }) => byName.get(name)?.uid === uid)
    .sort((a, b) => {
      const [left, right] = [byName.get(a.name), byName.get(b.name)];
      const hasPlace = Number(childOf(b.uid) !== undefined) - Number(childOf(a.uid) !== undefined);
      return hasPlace || compare(left?.createdAt, right?.createdAt) || compare(a.name, b.name); // D3
    });
  // A child that is still ending, of whatever Cluster, holds its place.
  const ending = children.filter(
    ({ state, uid }) => state === 'stopping' && !wanted.some((each) => each.uid === uid),
  );
  const places = Math.max(0, agentsMax - ending.length);
  return wanted.flatMap(({ name, uid, revision }, index): readonly HostedAct[] => {
    const child = childOf(uid);
    if (index >= places) {
      return child === undefined || child.state === 'stopping'
        ? [{ kind: 'refuse', name, uid }]
        : [
            { kind: 'stop', name, uid },
            { kind: 'refuse', name, uid },
          ];
    }
    // One of an earlier Cluster of this name ends first: both would speak for one name.
    if (children.some((each) => each.name === name && each.uid !== uid)) return [];
    if (child === undefined) return [{ kind: 'start', name, uid }];
    switch (child.state) {
      case 'stopping':
        return [];
      case 'running':
        return child.revision === revision ? [] : [{ kind: 'replace', name, uid }]; // D4
      case 'waiting': {
        const delayMs = child.dueMs - nowMs;
        // Other credentials may be what it needed.
        if (delayMs > 0 && child.revision === revision)
          return [{ kind: 'wait', name, uid, delayMs }];
        return [{ kind: 'start', name, uid }];
      }
    }
  });
}

function planFolders({ folders, clusters, children }: HostedFacts): readonly HostedAct[] {
  const used = new Set([...clusters, ...children].map(({ uid }) => uid));
  return folders
    .filter((uid) => !used.has(uid))
    .map((uid): HostedAct => ({ kind: 'removeFolder', uid }));
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
