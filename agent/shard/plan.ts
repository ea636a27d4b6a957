// Decides the next step for one Service in this cluster.
//   input    the shard that we shall have, or the order to give it up; the Service as observed;
//            the local guard
//   output   one action, and what to tell the coordinator when it is done
//
//   I2   only a removal order deletes; no shard and no order means: do nothing
//   I3   an absent observation is only believed after the cache was complete (the loop's part)
//   I4   a Service without our mark is adopted by a wish, but never deleted by an order
//   I13  the local guard is asked first and cannot be widened from outside
// Next: plan-drift.ts (what differs), audit.ts (the second opinion), loop.ts.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder, ShardManifest, ShardResult } from '../../common/model/shard.ts';
import { federationOf, isAdopted, shardHashMark } from '../../common/pure/shard-marks.ts';
import { toConfiguration, planRepair } from './plan-configuration.ts';
import { differs } from './plan-drift.ts';

/** Local to the cluster: its admin's settings, not the coordinator's. */
export interface LocalGuard {
  /** Empty: every namespace that is not Kubernetes' own. */
  readonly allowedNamespaces: readonly string[];
  readonly removalsPerMinute: number;
}

export interface Wish {
  readonly hash: ContentHash;
  readonly manifest: ShardManifest;
}

export interface ShardSituation {
  readonly key: ServiceKey;
  readonly federation: string;
  readonly guard: LocalGuard;
  readonly wish: Wish | undefined;
  readonly order: RemovalOrder | undefined;
  readonly observed: Service | undefined;
  /** Our last write of this Service: what the server made of it is by definition no drift. */
  readonly written:
    { readonly hash: ContentHash | undefined; readonly resourceVersion: string } | undefined;
  /** The last write was refused because the namespace does not exist. */
  readonly isNamespaceMissing: boolean;
  /** A repair was just made: the apply that follows makes the repaired fields ours again. */
  readonly isRepaired: boolean;
  /** Removals that the guard still lets through in this minute. */
  readonly removalsLeft: number;
}

export type ShardAction =
  | { readonly kind: 'nothing'; readonly result: ShardResult | undefined }
  | { readonly kind: 'refuse'; readonly result: ShardResult }
  | { readonly kind: 'createNamespace'; readonly namespace: string }
  | {
      readonly kind: 'apply';
      readonly configuration: JsonObject;
      readonly cause: 'created' | 'adopted' | 'changed' | 'drifted';
      readonly result: ShardResult;
    }
  | { readonly kind: 'repair'; readonly patch: readonly JsonObject[] }
  | { readonly kind: 'delete'; readonly uid: string; readonly result: ShardResult }
  | { readonly kind: 'release'; readonly uid: string; readonly result: ShardResult };

export function planShard(situation: ShardSituation): ShardAction {
  const { wish, order } = situation;
  // A wish newer than an order replaces it; holding both, the one that destroys nothing wins.
  if (wish !== undefined) return planWish(situation, wish);
  if (order !== undefined) return planOrder(situation, order);
  return { kind: 'nothing', result: undefined }; // I2
}

function planWish(situation: ShardSituation, wish: Wish): ShardAction {
  const { key, observed, federation } = situation;
  const refusal = refusalOf(key, wish.hash, situation.guard);
  if (refusal !== undefined) return { kind: 'refuse', result: refusal };
  const owner = observed === undefined ? undefined : federationOf(observed);
  if (owner !== undefined && owner !== federation) return refuseForeign(key, wish.hash, owner);
  if (observed?.metadata.deletionTimestamp !== undefined) return waitForDeletion(key, wish.hash);
  if (observed === undefined && situation.isNamespaceMissing) {
    return { kind: 'createNamespace', namespace: wish.manifest.metadata.namespace };
  }
  const result = toApplied(key, wish.hash, observed, federation);
  const configuration = toConfiguration(wish, federation, observed);
  if (observed === undefined) return { kind: 'apply', configuration, cause: 'created', result };
  // Fields of others in what is wholly ours go first: a foreign port may bear a name of ours.
  const repair = planRepair(wish, federation, observed);
  const hasPorts = (wish.manifest.spec.ports ?? []).length > 0;
  if (repair.length > 0 && hasPorts) return { kind: 'repair', patch: repair };
  if (needsApply(situation, wish, observed, configuration)) {
    return { kind: 'apply', configuration, cause: causeOf(wish, owner, observed), result };
  }
  return repair.length > 0 ? { kind: 'repair', patch: repair } : { kind: 'nothing', result };
}

function needsApply(
  { written, isRepaired }: ShardSituation,
  wish: Wish,
  observed: Service,
  configuration: JsonObject,
): boolean {
  // The server answered our last write with exactly this object: whatever it defaulted stays.
  const isOurWrite =
    written?.hash === wish.hash && written.resourceVersion === observed.metadata.resourceVersion;
  return isRepaired || (!isOurWrite && differs(configuration, observed));
}

function causeOf(
  wish: Wish,
  owner: string | undefined,
  observed: Service,
): 'adopted' | 'changed' | 'drifted' {
  if (owner === undefined) return 'adopted';
  return observed.metadata.annotations?.[shardHashMark] === wish.hash ? 'drifted' : 'changed';
}

function planOrder(situation: ShardSituation, order: RemovalOrder): ShardAction {
  const { key, observed, federation } = situation;
  const refusal = refusalOf(key, undefined, situation.guard);
  if (refusal !== undefined) return { kind: 'refuse', result: refusal };
  const outcome = order.mode === 'delete' ? 'removed' : 'released';
  const done = (reason: string, message: string): ShardResult => ({
    key,
    hash: undefined,
    outcome,
    reason,
    message,
  });
  if (observed === undefined)
    return { kind: 'nothing', result: done('Removed', 'the Service is gone') };
  if (federationOf(observed) !== federation) {
    return {
      kind: 'nothing',
      result: done('NotOurs', 'the Service there is no shard of ours; left alone'),
    };
  }
  const uid = observed.metadata.uid ?? '';
  if (order.mode === 'release') {
    return {
      kind: 'release',
      uid,
      result: done('Released', 'the Service stays; our marks are gone'),
    };
  }
  if (observed.metadata.deletionTimestamp !== undefined)
    return { kind: 'nothing', result: undefined };
  if (situation.removalsLeft <= 0)
    return { kind: 'refuse', result: tooManyRemovals(key, situation.guard) };
  return { kind: 'delete', uid, result: done('Deleted', 'the Service was deleted') };
}

function toApplied(
  key: ServiceKey,
  hash: ContentHash,
  observed: Service | undefined,
  federation: string,
): ShardResult {
  const adopted =
    observed !== undefined && (isAdopted(observed) || federationOf(observed) !== federation);
  return {
    key,
    hash,
    outcome: 'applied',
    reason: adopted ? 'Adopted' : 'Applied',
    message: adopted
      ? 'a Service that was there before is now the shard'
      : 'the Service is as wished',
    adopted,
  };
}

/** I13. Undefined when the guard lets this Service through. */
export function refusalOf(
  key: ServiceKey,
  hash: ContentHash | undefined,
  guard: LocalGuard,
): ShardResult | undefined {
  const namespace = key.slice(0, key.indexOf('/'));
  const refuse = (message: string): ShardResult => ({
    key,
    hash,
    outcome: 'refused',
    reason: 'LocalGuard',
    message,
  });
  if (namespace.startsWith('kube-'))
    return refuse(`namespace ${namespace} belongs to Kubernetes itself`);
  if (key === 'default/kubernetes')
    return refuse('default/kubernetes is the API server of the cluster');
  const { allowedNamespaces } = guard;
  if (allowedNamespaces.length > 0 && !allowedNamespaces.includes(namespace)) {
    return refuse(`namespace ${namespace} is not among the allowed namespaces of this cluster`);
  }
  return undefined;
}

function tooManyRemovals(key: ServiceKey, guard: LocalGuard): ShardResult {
  return {
    key,
    hash: undefined,
    outcome: 'failed',
    reason: 'LocalGuard',
    message: `more than ${guard.removalsPerMinute} removals a minute: goes on shortly`,
  };
}

function refuseForeign(key: ServiceKey, hash: ContentHash, owner: string): ShardAction {
  return {
    kind: 'refuse',
    result: {
      key,
      hash,
      outcome: 'refused',
      reason: 'OtherFederation',
      message: `the Service is a shard of the federation ${owner}`,
    },
  };
}

function waitForDeletion(key: ServiceKey, hash: ContentHash): ShardAction {
  return {
    kind: 'nothing', // its deletion wakes us
    result: {
      key,
      hash,
      outcome: 'failed',
      reason: 'Terminating',
      message: 'a Service of this name is being deleted; ours follows when it is gone',
    },
  };
}
