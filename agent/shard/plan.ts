// Decides the next step for one Service in this cluster.
//   input    the shard that we shall have, or the order to give it up; the Service as observed;
//            the local guard; what is known of former writes
//   output   one action, and what to tell the coordinator when it is done
//
//   I2   only a removal order deletes; no shard and no order means: do nothing
//   I3   an absent observation is only believed after the cache was complete (the loop's part)
//   I4   a Service without our mark is adopted by a wish, but never deleted by an order
//   I13  the local guard is asked first and cannot be widened from outside
// Next: plan-drift.ts (what differs), plan-adoption.ts, audit.ts (the second opinion), loop.ts.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder, ShardManifest, ShardResult } from '../../common/model/shard.ts';
import {
  adoptionOf,
  federationOf,
  isAdopted,
  removalOrderMark,
  shardContentMark,
  shardHashMark,
} from '../../common/pure/shard-marks.ts';
import { refuseAdoption } from './plan-adoption.ts';
import {
  keepsContent,
  planOrderMark,
  planRepair,
  toConfiguration,
  toFirstShape,
} from './plan-configuration.ts';
import { findDifferences, withoutResidue, type Difference, type Residue } from './plan-drift.ts';
import { isConfirmed, refusalOf, tooManyRemovals, type LocalGuard } from './plan-guard.ts';

export interface Wish {
  readonly hash: ContentHash;
  readonly manifest: ShardManifest;
  /** The manifest's bytes as text. */
  readonly text: string;
}

export interface ShardSituation {
  readonly key: ServiceKey;
  readonly federation: string;
  readonly guard: LocalGuard;
  readonly wish: Wish | undefined;
  readonly order: RemovalOrder | undefined;
  readonly observed: Service | undefined;
  /** What the server made of our last write of this very wish: by definition no drift. */
  readonly residue: Residue;
  /** The last write was refused because the namespace does not exist. */
  readonly isNamespaceMissing: boolean;
  /** An apply was just made: what is wholly ours and still wrong, no apply puts right. */
  readonly hasApplied: boolean;
  /** A repair was just made: the apply that follows makes the repaired fields ours again. */
  readonly isRepaired: boolean;
  /** Somebody writes back what we put right (step-fight.ts), and this is told meanwhile. */
  readonly fight: { readonly result: ShardResult; readonly isTruce: boolean } | undefined;
  /** Removals that the guard still lets through in this minute. */
  readonly removalsLeft: number;
}

export type Cause = 'created' | 'adopted' | 'changed' | 'drifted';

export type ShardAction =
  | { readonly kind: 'nothing'; readonly result: ShardResult | undefined }
  | { readonly kind: 'refuse'; readonly result: ShardResult }
  | { readonly kind: 'createNamespace'; readonly namespace: string }
  /** Fails when somebody else was faster: then it is no creation. */
  | { readonly kind: 'create'; readonly object: JsonObject }
  | {
      readonly kind: 'apply';
      readonly configuration: JsonObject;
      readonly cause: Cause;
      /** What it puts right. */
      readonly fields: readonly string[];
      readonly result: ShardResult;
    }
  | {
      readonly kind: 'repair';
      readonly patch: readonly JsonObject[];
      readonly cause: Cause;
      readonly fields: readonly string[];
    }
  | { readonly kind: 'markOrder'; readonly patch: readonly JsonObject[] }
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
  const { key, observed, federation, fight } = situation;
  const refusal = refusalOf(key, wish.hash, situation.guard);
  if (refusal !== undefined) return { kind: 'refuse', result: refusal };
  if (observed === undefined) return planCreation(situation, wish);
  const taken = refuseAdoption(key, wish, { observed, federation });
  if (taken !== undefined) return { kind: 'refuse', result: taken };
  if (observed.metadata.deletionTimestamp !== undefined) return waitForDeletion(key, wish.hash);
  const configuration = toConfiguration(wish, federation, observed);
  const differences = findDifferences(configuration, observed);
  const news = withoutResidue(differences, situation.residue);
  const cause = causeOf(wish, federation, observed);
  if (fight?.isTruce === true && cause === 'drifted' && news.length > 0)
    return { kind: 'nothing', result: fight.result };
  const fields = news.map(({ field }) => field);
  // Fields of others in what is wholly ours go first: a foreign port may bear a name of ours.
  const { hasApplied } = situation;
  const repair = planRepair(wish, federation, { observed, differences: news, hasApplied });
  const hasPorts = (wish.manifest.spec.ports ?? []).length > 0;
  if (repair.length > 0 && hasPorts) return { kind: 'repair', patch: repair, cause, fields };
  const kept = differences.filter((difference) => !news.includes(difference));
  const result = toApplied(situation, wish, kept);
  if (situation.isRepaired || news.length > 0)
    return { kind: 'apply', configuration, cause, fields, result };
  if (repair.length > 0) return { kind: 'repair', patch: repair, cause, fields };
  return { kind: 'nothing', result: fight?.result ?? result };
}

function planCreation(situation: ShardSituation, wish: Wish): ShardAction {
  const { federation, fight } = situation;
  if (situation.isNamespaceMissing) {
    return { kind: 'createNamespace', namespace: wish.manifest.metadata.namespace };
  }
  if (fight?.isTruce === true) return { kind: 'nothing', result: fight.result };
  if (adoptionOf(wish.manifest.metadata.annotations) !== 'always') {
    return { kind: 'create', object: toFirstShape(wish, federation) };
  }
  const configuration = toConfiguration(wish, federation, undefined);
  const result = toApplied(situation, wish, []);
  return { kind: 'apply', configuration, cause: 'created', fields: [], result };
}

function causeOf(wish: Wish, federation: string, observed: Service): Cause {
  if (federationOf(observed) !== federation) return 'adopted';
  const { [shardHashMark]: hash, [shardContentMark]: content } =
    observed.metadata.annotations ?? {};
  // An agent of before kept no content: nobody's hand took it away.
  const isWhole = content !== undefined || !keepsContent(wish);
  return hash === wish.hash && isWhole ? 'drifted' : 'changed';
}

function planOrder(situation: ShardSituation, order: RemovalOrder): ShardAction {
  const { key, observed, federation, guard } = situation;
  const refusal = refusalOf(key, undefined, guard);
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
    const what = isAdopted(observed)
      ? 'the Service stays, as it was before it was adopted'
      : 'the Service stays; our marks are gone';
    return { kind: 'release', uid, result: done('Released', what) };
  }
  if (observed.metadata.deletionTimestamp !== undefined)
    return { kind: 'nothing', result: undefined };
  if (situation.removalsLeft > 0 || isConfirmed(observed))
    return { kind: 'delete', uid, result: done('Deleted', 'the Service was deleted') };
  const text = `delete ${order.revision}`;
  return observed.metadata.annotations?.[removalOrderMark] === text
    ? { kind: 'refuse', result: tooManyRemovals(key, guard) }
    : { kind: 'markOrder', patch: planOrderMark(observed, text) };
}

const whollyOurs: ReadonlySet<string> = new Set(['spec.type', 'spec.ports', 'spec.selector']);

/** What is told of a Service that is as wished, but for what the cluster makes of our writes. */
function toApplied(
  { key, observed, federation }: ShardSituation,
  { hash }: Wish,
  differences: readonly Difference[],
): ShardResult {
  const adopted =
    observed !== undefined && (isAdopted(observed) || federationOf(observed) !== federation);
  const common = { key, hash, ...(adopted ? { adopted } : {}) };
  const fields = differences.map(({ field }) => field);
  const overruled = fields.filter((field) => whollyOurs.has(field));
  if (overruled.length > 0) {
    const what = overruled.join(', ');
    const message = `the cluster writes its own value into ${what} at each of our writes: look for a mutating webhook or policy there`;
    return { ...common, outcome: 'failed', reason: 'FieldsOverruled', message };
  }
  if (fields.length > 0) {
    const message = `applied, but the cluster does not keep ${fields.join(', ')}: its version does not know it, or a webhook changes it`;
    return { ...common, outcome: 'applied', reason: 'FieldsIgnored', message };
  }
  return adopted
    ? {
        ...common,
        outcome: 'applied',
        reason: 'Adopted',
        message: 'a Service that was there before is now the shard',
      }
    : { ...common, outcome: 'applied', reason: 'Applied', message: 'the Service is as wished' };
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
