// What the shards of one Service shall say and where they shall be, planned in as many turns as it
// takes. Nearly always that is this one; a hundred variants with patches are a hundred milliseconds.
// Input: the log, policies and Clusters as they are now. Output: the plan, and each content encoded.
//
//   T1. What was read still stands when it is done: else it is read again.

import { splitServiceKey, toLogKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { Steps } from '../../common/pure/steps.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Desired } from '../desired/store.ts';
import type { ClusterList } from './cluster-list.ts';
import { planInSteps, type PlacementPlan } from './plan.ts';
import { encodeShards, type EncodedShards } from './plan-content.ts';
import type { PolicyIndex } from './policy-index.ts';
import { placementKey, readRecord } from './records.ts';

export interface Prepared {
  readonly plan: PlacementPlan;
  readonly shards: EncodedShards;
}

interface Sources {
  readonly desired: Desired;
  readonly clusters: ClusterList;
  readonly policies: PolicyIndex;
  readonly clock: Pick<Clock, 'soon'>;
}

/** `then` is called in the turn that ends it, before anything else; or not, where T1 fails. */
export async function prepare<T>(
  sources: Sources,
  key: ServiceKey,
  service: Service,
  then: (prepared: Prepared) => Promise<T>,
): Promise<T | 'changed'> {
  const before = readVersions(sources, key);
  const steps = planAll(sources, key, service);
  let step = steps.next();
  let isPaused = false;
  while (step.done !== true) {
    isPaused = true;
    await new Promise<void>((resolve) => {
      sources.clock.soon(resolve);
    });
    step = steps.next();
  }
  if (isPaused && readVersions(sources, key) !== before) return 'changed';
  return then(step.value);
}

function* planAll(
  { desired, clusters, policies }: Sources,
  key: ServiceKey,
  service: Service,
): Steps<Prepared> {
  const { clusters: recorded } = readRecord(desired.get(placementKey(key)));
  const plan = yield* planInSteps({
    service,
    policies: policies.of(key),
    clusters: clusters.read().all,
    recorded: new Set(recorded),
  });
  return { plan, shards: yield* encodeShards(key, plan) };
}

/** A text that is another one when the plan could be. */
function readVersions({ desired, clusters, policies }: Sources, key: ServiceKey): string {
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  return [
    desired.get(at)?.revision,
    desired.get(placementKey(key))?.revision,
    clusters.version(),
    ...policies.of(key).map(({ metadata }) => `${metadata.uid}/${metadata.resourceVersion}`),
  ].join();
}
