// Which groups go into the next request: whole ones, in their order, as many as the provider's
// limits allow. Input: groups with what each costs in the provider's own measure. Output: those
// that go, and those that no request could ever hold.

import type { BatchLimits, RecordGroup } from '../provider/provider.ts';

export interface PackInput {
  /** Lazily planned: no more are asked for than go in. */
  readonly candidates: Iterable<RecordGroup>;
  readonly measure: (group: RecordGroup) => BatchLimits;
  readonly limits: BatchLimits;
  /** What the fence costs of each request. */
  readonly fence: BatchLimits;
  /** Fewer than the limits allow, while the one is sought that spoils a batch. */
  readonly groupsMax: number;
}

export interface Packed {
  readonly groups: readonly RecordGroup[];
  readonly oversize: readonly { readonly group: RecordGroup; readonly cost: BatchLimits }[];
}

export function packBatch(input: PackInput): Packed {
  const { limits, fence } = input;
  const groups: RecordGroup[] = [];
  const oversize: { readonly group: RecordGroup; readonly cost: BatchLimits }[] = [];
  let [changes, bytes] = [fence.changes, fence.bytes];
  for (const group of input.candidates) {
    const cost = input.measure(group);
    if (fence.changes + cost.changes > limits.changes || fence.bytes + cost.bytes > limits.bytes) {
      oversize.push({ group, cost });
      continue;
    }
    if (changes + cost.changes > limits.changes || bytes + cost.bytes > limits.bytes) break;
    groups.push(group);
    changes += cost.changes;
    bytes += cost.bytes;
    if (groups.length >= input.groupsMax) break;
  }
  return { groups, oversize };
}
