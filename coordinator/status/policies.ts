// Status of ServicePolicies: whether each holds, and whether its overrides fit its Service.
// Input: marks of Services. Output: guarded status writes of the policies that name them.

import type { ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import {
  splitServiceKey,
  toLogKey,
  toServiceKey,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { StoredObject } from '../desired/store.ts';
import type { StatusOptions } from './options.ts';
import { planConditions } from '../../common/pure/conditions.ts';
import { passingConditions, sayPolicy } from './plan-notes.ts';
import type { StatusWriter } from './writer.ts';

const conflictRetryMs = 20;
/** Placement follows the log closely; this is how soon to look again. */
const placementLagMs = 50;

export interface PolicyStatus extends Loop<ServiceKey> {
  /** A policy came, changed or went. */
  note(policy: StoredObject, isDeleted: boolean): void;
}

export function createPolicyStatus(options: StatusOptions, writer: StatusWriter): PolicyStatus {
  const { desired, placement, clock, chance, log } = options;
  /** Policies by the Service that they name, and back. */
  const byService = new Map<ServiceKey, Set<LogKey>>();
  const targets = new Map<LogKey, ServiceKey>();

  const run = async (key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> => {
    const { namespace, name } = splitServiceKey(key);
    const policies = [...(byService.get(key) ?? [])].sort().flatMap((at) => desired.get(at) ?? []);
    if (policies.length === 0) return undefined;
    const service = desired.get(toLogKey({ group: '', resource: 'services', namespace, name }));
    const newest = Math.max(...[...policies, service].map((stored) => stored?.revision ?? 0));
    if (placement.revision() < newest) return { againAfterMs: placementLagMs };
    const notes = service === undefined ? undefined : placement.notes(key);
    for (const stored of policies) {
      const policy = stored.object as ServicePolicy; // by its log key
      const { generation } = policy.metadata;
      const current = policy.status?.conditions ?? [];
      const said = sayPolicy(policy, notes);
      const ours = new Set(said.map(({ type }) => type));
      const kept = current.filter(({ type }) => ours.has(type) || !passingConditions.has(type));
      const conditions = planConditions(kept, said, toTimestamp(clock.now())).map((condition) =>
        ours.has(condition.type) && generation !== undefined
          ? { ...condition, observedGeneration: generation }
          : condition,
      );
      const outcome = await writer.write(stored, { ...policy.status, conditions });
      if (outcome === 'again') return { againAfterMs: conflictRetryMs };
    }
    return undefined;
  };

  const loop = createLoop<ServiceKey>({ name: 'status-policies', run, clock, chance, log });
  const note = ({ key: at, object }: StoredObject, isDeleted: boolean): void => {
    const { namespace = '' } = object.metadata;
    const name = isDeleted ? undefined : (object as ServicePolicy).spec?.serviceName; // by its key
    const after = name === undefined ? undefined : toServiceKey({ namespace, name });
    const before = targets.get(at);
    if (before !== undefined && before !== after) {
      byService.get(before)?.delete(at);
      if (byService.get(before)?.size === 0) byService.delete(before);
      targets.delete(at);
      loop.mark(before); // another may count for it now
    }
    if (after === undefined) return;
    targets.set(at, after);
    byService.set(after, (byService.get(after) ?? new Set<LogKey>()).add(at));
    loop.mark(after);
  };
  return { ...loop, note };
}
