// Status of ServicePolicies: whether each holds, and whether its overrides fit its Service.
// Input: marks of Services. Output: guarded status writes of the policies that name them.

import { isthmusGroup, type ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import { splitServiceKey, toLogKey, toLogPrefix, type ServiceKey } from '../../common/model/ids.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { StatusOptions } from './options.ts';
import { planConditions } from './plan-conditions.ts';
import { passingConditions, sayPolicy } from './plan-notes.ts';
import type { StatusWriter } from './writer.ts';

const conflictRetryMs = 20;
/** Placement follows the log closely; this is how soon to look again. */
const placementLagMs = 50;

export function createPolicyStatus(options: StatusOptions, writer: StatusWriter): Loop<ServiceKey> {
  const { desired, placement, clock, chance, log } = options;

  const run = async (key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> => {
    const { namespace, name } = splitServiceKey(key);
    const ofNamespace = [...desired.list(toLogPrefix(isthmusGroup, 'servicepolicies', namespace))];
    const policies = ofNamespace.filter(
      ({ object }) => (object as ServicePolicy).spec?.serviceName === name,
    );
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

  return createLoop<ServiceKey>({ name: 'status-policies', run, clock, chance, log });
}
