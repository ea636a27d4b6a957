// Bugs that canary runs plant: into agents, between session and applier or as a guard, and into the
// coordinator, between its view of the log and all that reads it.

import { toRevision, type ClusterName } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import type { Desired, DesiredWrite, StoredObject } from '../../coordinator/desired/store.ts';
import { toStoredObject } from '../../coordinator/desired/stored-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { AgentSession } from '../../agent/agent-ports.ts';
import { simGuard } from './sim-agent.ts';

/** The guard counts no removals. */
export const unbounded = { ...simGuard, removalsPerMinute: 1_000 };

/** What the coordinator cannot be asked about is taken for unwanted. */
export function plantAbsenceDeletes(session: AgentSession): AgentSession {
  const { assignment } = session;
  return {
    ...session,
    assignment: {
      ...assignment,
      shard: (key) => (session.isOpen() ? assignment.shard(key) : undefined),
      order: (key) =>
        session.isOpen()
          ? assignment.order(key)
          : { cluster: 'none' as ClusterName, key, mode: 'delete', revision: toRevision(1) },
    },
  };
}

/** Each life counts removals from nothing. */
export function plantForgottenRemovals(session: AgentSession): AgentSession {
  const { assignment } = session;
  return { ...session, assignment: { ...assignment, removals: () => ({ count: 0, atMs: 0 }) } };
}

/** A minute is over in a second or two: no fight lasts long enough to be one. */
export function plantHaste(clock: Clock): Clock {
  return { ...clock, monotonicMs: () => clock.monotonicMs() * 50 };
}

/** Whoever looks a Cluster up finds nobody revoked. */
export function plantUnseenRevocations(desired: Desired): Desired {
  const seen = (stored: StoredObject | undefined): StoredObject | undefined =>
    stored?.key.startsWith('isthmus.dev/clusters/') === true
      ? toStoredObject(stored.key, stored.revision, withoutRevocation(stored.object))
      : stored;
  return { ...desired, get: (key) => seen(desired.get(key)) };
}

function withoutRevocation(object: KubeObject): KubeObject {
  const { status, ...cluster } = object as Cluster; // by its key
  if (status?.approval?.decision !== 'Denied') return object;
  const { revokedPublicKeyHash: _revoked, approval, ...others } = status;
  return { ...cluster, status: { ...others, approval: { ...approval, decision: 'Approved' } } };
}

/** Placement, which asks for one Service's publications, finds that DNS has left everywhere. */
export function plantHastyMoves(desired: Desired): Desired {
  return {
    ...desired,
    list: (prefix, after) => {
      const found = desired.list(prefix, after);
      return /^isthmus\.dev\/publications\/.+\.$/.test(prefix) ? [...found].map(outOfDns) : found;
    },
  };
}

/** Changes of policies are heard of by the next life of the coordinator only. */
export function plantUnheardPolicies(desired: Desired): Desired {
  const isPolicy = ({ current }: { readonly current: StoredObject }): boolean =>
    current.key.startsWith('isthmus.dev/servicepolicies/');
  return {
    ...desired,
    watch: (prefix, from, onEvents, ...rest) =>
      desired.watch(
        prefix,
        from,
        (events) => onEvents(events.filter((event) => !isPolicy(event))),
        ...rest,
      ),
  };
}

/** Whoever is healthy is published, drained or not. */
export function plantLeakingDrains(desired: Desired): Desired {
  return { ...desired, write: (request) => desired.write(leaking(request)) };
}

function leaking(request: DesiredWrite): DesiredWrite {
  const publication = request.object && readPublication(request.object);
  if (request.object === undefined || publication === undefined) return request;
  const healthy = publication.shards.filter(
    ({ state, isDrained }) => state === 'healthy' && isDrained !== true,
  );
  const values = [...new Set(healthy.flatMap(({ addresses }) => addresses))].sort();
  const recordSets = publication.recordSets.map(({ weights: _weights, ...set }) =>
    set.level === 'global' && set.type === 'A' && set.member === undefined && values.length > 0
      ? { ...set, values }
      : set,
  );
  return { ...request, object: { ...request.object, spec: { ...publication, recordSets } } };
}

function outOfDns(stored: StoredObject): StoredObject {
  const publication = readPublication(stored.object);
  if (publication === undefined) return stored;
  const shards = publication.shards.map((shard) => ({ ...shard, inDns: false, addresses: [] }));
  const object = { ...stored.object, spec: { ...publication, shards } };
  return toStoredObject(stored.key, stored.revision, object);
}
