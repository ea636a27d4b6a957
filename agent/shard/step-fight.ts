// A fight: somebody writes back what we put right, again and again. Pure: what is known and the
// time in, what is known then out.
//
//   F1. The fifth repair within a minute begins a fight. From then on the drift is put right less
//       and less often: after 10 s, then twice as long each time, at most every 5 minutes.
//   F2. It ends when the Service has been as wished for a minute.
//   F3. A new wish is no repair: it is applied at once, whatever is fought about.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';

export interface Fight {
  /** Of which content; a new wish begins anew. */
  readonly hash: ContentHash;
  /** Times of repairs within the last minute, oldest first. */
  readonly repairsMs: readonly number[];
  /** Since when the Service has been as wished; undefined while it is not. */
  readonly rightSinceMs: number | undefined;
  /** Once it is one. */
  readonly truce: Truce | undefined;
}

interface Truce {
  /** Nothing is put right before. */
  readonly untilMs: number;
  readonly lengthMs: number;
  readonly manager: string | undefined;
  readonly fields: readonly string[];
}

export interface Repair {
  readonly hash: ContentHash;
  /** Field manager of who changed it, if it can be told. */
  readonly manager: string | undefined;
  /** What was changed; empty: the whole Service was deleted. */
  readonly fields: readonly string[];
}

const repairsMax = 5;
const windowMs = 60_000;
const quietMs = 60_000;
const truceFirstMs = 10_000;
const truceMaxMs = 300_000;

/** A repair is about to be made. */
export function noteRepair(fight: Fight | undefined, repair: Repair, nowMs: number): Fight {
  const { hash, manager, fields } = repair;
  const before = fight?.hash === hash ? fight : undefined;
  const repairsMs = [...(before?.repairsMs ?? []), nowMs]
    .filter((at) => at > nowMs - windowMs)
    .slice(-repairsMax);
  if (before?.truce === undefined && repairsMs.length < repairsMax) {
    return { hash, repairsMs, rightSinceMs: undefined, truce: undefined };
  }
  const lengthMs =
    before?.truce === undefined ? truceFirstMs : Math.min(truceMaxMs, before.truce.lengthMs * 2);
  // The first to be named stays so: a message that changes is news to people.
  const known = before?.truce;
  const truce: Truce = {
    untilMs: nowMs + lengthMs,
    lengthMs,
    manager: known?.manager ?? manager,
    fields: known?.fields ?? fields,
  };
  return { hash, repairsMs, rightSinceMs: undefined, truce };
}

/** A look at the Service: is it as wished? Undefined when there is nothing left to remember. */
export function noteLook(
  fight: Fight | undefined,
  look: { readonly hash: ContentHash; readonly isRight: boolean },
  nowMs: number,
): Fight | undefined {
  if (fight === undefined || fight.hash !== look.hash) return undefined;
  if (!look.isRight) return { ...fight, rightSinceMs: undefined };
  const rightSinceMs = fight.rightSinceMs ?? nowMs;
  const isOver = nowMs - rightSinceMs >= quietMs; // F2
  return isOver ? undefined : { ...fight, rightSinceMs };
}

export function isFought(fight: Fight | undefined): boolean {
  return fight?.truce !== undefined;
}

/** Milliseconds until the next repair may be made; 0: now. */
export function truceLeftMs(fight: Fight | undefined, nowMs: number): number {
  return Math.max(0, (fight?.truce?.untilMs ?? nowMs) - nowMs);
}

/** When to look again without being woken; undefined: never. */
export function nextLookMs(fight: Fight | undefined, nowMs: number): number | undefined {
  if (fight?.truce === undefined) return undefined;
  return fight.rightSinceMs === undefined
    ? Math.max(1, truceLeftMs(fight, nowMs))
    : Math.max(1, fight.rightSinceMs + quietMs - nowMs);
}

/** What is told of the Service for as long as the fight lasts. */
export function toFightResult(key: ServiceKey, fight: Fight | undefined): ShardResult | undefined {
  const truce = fight?.truce;
  if (fight === undefined || truce === undefined) return undefined;
  const { fields, manager } = truce;
  const who = manager === undefined ? 'somebody' : `field manager ${manager}`;
  const what =
    fields.length === 0 ? 'deletes the Service' : `changes ${fields.slice(0, 5).join(', ')}`;
  return {
    key,
    hash: fight.hash,
    outcome: 'failed',
    reason: reasonOf(fields),
    message:
      `${who} ${what} again and again in the cluster: it is put right less and less often, every ` +
      '5 minutes at last, until that ends. Stop it there, or take the field out of the Service',
  };
}

function reasonOf(fields: readonly string[]): string {
  if (fields.length === 0) return 'DeletedRepeatedly';
  if (fields.includes('spec.selector')) return 'SelectorMoved';
  if (fields.includes('spec.type')) return 'TypeChanged';
  return 'FieldFight';
}
