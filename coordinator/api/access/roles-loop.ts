// Keeps the roles right: writes the defaults at the start, and the rules of aggregated roles
// whenever a ClusterRole changes (in Kubernetes a controller of its own does that).

import { toLogKey, toLogPrefix, toRevision } from '../../../common/model/ids.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createLoop } from '../../../common/runtime/loop.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import { invariant, MeshError } from '../../../common/pure/errors.ts';
import { followNew, type Desired } from '../../desired/store.ts';
import { trackUpdate } from '../machinery/apply/managed-fields.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { ownList, toJsonObject, toKubeObject, withMember } from '../machinery/schema/json-value.ts';
import { rbacGroup } from './bindings.ts';
import { toDefaultObjects, type DefaultObject } from './default-roles.ts';
import { isAggregated, planAggregation, planDefault } from './plan-defaults.ts';

export interface RolesPorts {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface Roles {
  /** Resolves when the rules of every aggregated role are right. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const clusterRoles = toLogPrefix(rbacGroup, 'clusterroles');

/** Resolves when defaults and aggregated rules are written; then follows the ClusterRoles. */
export async function startRoles(
  ports: RolesPorts,
  kinds: readonly KindDefinition[],
): Promise<Roles> {
  const { desired } = ports;
  // At once: the store commits them together.
  const writes = toDefaultObjects(kinds).flatMap((wanted) =>
    kinds
      .filter(({ group, kind }) => group === rbacGroup && kind === wanted.kind)
      .map((kind) => ensureDefault(ports, wanted, kind)),
  );
  await Promise.all(writes);
  const kind = kinds.find((each) => each.group === rbacGroup && each.plural === 'clusterroles');
  invariant(kind !== undefined, 'roles are kept where ClusterRoles are served');
  const loop = createLoop<string>({
    ...ports,
    name: 'aggregated-roles',
    run: (name) => aggregate(ports, kind, name),
  });
  const markAll = (): void => {
    for (const { object } of desired.list(clusterRoles)) {
      if (isAggregated(object)) loop.mark(object.metadata.name);
    }
  };
  const handle = followNew(desired, clusterRoles, markAll);
  markAll();
  await loop.idle();
  return {
    idle: () => loop.idle(),
    stop: async () => {
      handle.cancel();
      await loop.stop();
    },
  };
}

// Nobody else writes at a start; a person's kubectl at the same moment loses us one attempt.
const attemptsMax = 3;

async function ensureDefault(
  { desired, clock, chance }: RolesPorts,
  wanted: DefaultObject,
  kind: KindDefinition,
): Promise<void> {
  const resource = wanted.kind === 'ClusterRole' ? 'clusterroles' : 'clusterrolebindings';
  const key = toLogKey({ group: rbacGroup, resource, name: wanted.name });
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const stored = desired.get(key);
    const birth = { uid: chance.uuid(), timestamp: toTimestamp(clock.now()) };
    const planned = planDefault(wanted, stored?.object, birth);
    if (planned === undefined) return;
    const object = trackUpdate({
      kind,
      old: stored?.object,
      next: planned,
      manager: 'kube-apiserver',
      subresource: '',
      time: birth.timestamp,
    });
    const expected = stored?.revision ?? toRevision(0);
    const outcome = await desired.write({ key, object, expected });
    if (outcome.kind === 'written') return;
  }
  throw new MeshError('retryable', 'ROLES_CONTENDED', `cannot write ${resource} ${wanted.name}`);
}

/** A write wakes this again, so that roles gathered from gathered roles settle too. */
async function aggregate(
  { desired, clock }: RolesPorts,
  kind: KindDefinition,
  name: string,
): Promise<undefined> {
  const key = toLogKey({ group: rbacGroup, resource: 'clusterroles', name });
  const stored = desired.get(key);
  if (stored === undefined || !isAggregated(stored.object)) return undefined;
  const all = [...desired.list(clusterRoles)].map(({ object }) => object);
  const planned = planAggregation(stored.object, all);
  if (planned === undefined) return undefined;
  const object = isRuled(planned) ? planned : disown(kind, stored.object, planned, clock);
  const outcome = await desired.write({ key, object, expected: stored.revision });
  if (outcome.kind === 'written') return undefined;
  throw new MeshError('retryable', 'ROLES_CONTENDED', `clusterroles ${name} changed meanwhile`);
}

function isRuled(role: KubeObject): boolean {
  return ownList(toJsonObject(role), 'rules').length > 0;
}

/** Rules that are gone belong to nobody: who reads the role and puts it back changes nothing. */
function disown(kind: KindDefinition, old: KubeObject, next: KubeObject, clock: Clock): KubeObject {
  const manager = 'clusterrole-aggregation-controller';
  const time = toTimestamp(clock.now());
  const bare = toKubeObject(withMember(toJsonObject(next), 'rules', undefined));
  const { metadata } = trackUpdate({ kind, old, next: bare, manager, subresource: '', time });
  return { ...next, metadata };
}
