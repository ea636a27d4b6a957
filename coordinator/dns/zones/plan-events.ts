// The Events that changed conditions of a DNSZone deserve. Input: conditions before and after.
// Output: events, in the order of the conditions. Pure.

import type { Condition } from '../../../common/model/kube-object.ts';

export interface ZoneEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** True is good news of these, and bad news of all others. */
const goodWhenTrue: ReadonlySet<string> = new Set(['Ready', 'Authorized', 'Delegated']);
/**
 * A person asked for it, or it is there from the beginning: no news. The applier itself tells of a
 * held plan once that has stopped growing, with the hash to confirm.
 */
const unspoken: ReadonlySet<string> = new Set(['Authorized', 'Frozen', 'SingleServer', 'PlanHeld']);

export function planZoneEvents(
  before: readonly Condition[],
  after: readonly Condition[],
): readonly ZoneEvent[] {
  return after.flatMap((condition): readonly ZoneEvent[] => {
    const { type, status, reason, message } = condition;
    if (unspoken.has(type) || reason === 'PlanHeld' || status === 'Unknown') return [];
    const was = before.find((one) => one.type === type);
    const isGood = goodWhenTrue.has(type) === (status === 'True');
    // Well from the beginning is news of Ready alone.
    if (was === undefined && isGood && type !== 'Ready') return [];
    if (was?.status === status && (isGood || was.reason === reason)) return [];
    const name = type === 'Ready' ? `Zone${status === 'True' ? 'Ready' : reason}` : reason;
    return [{ type: isGood ? 'Normal' : 'Warning', reason: name, message }];
  });
}
