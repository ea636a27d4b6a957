// Whether a policy's overrides can be done to the Service that is there, and leave legal shards.
// Pure: data in, field errors out.

import { toClusterName } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import { Pace, runAtOnce, type Steps } from '../../common/pure/steps.ts';
import { serviceKind } from '../api/kinds/service/service.ts';
import type { FieldError } from '../api/machinery/kind.ts';
import { invalidValue } from '../api/machinery/rules/field-errors.ts';
import { indexChoices } from '../placement/choice-index.ts';
import { toManifest } from '../placement/plan-manifest.ts';
import {
  applyInSteps,
  operationsPerStep,
  tooManyVariants,
  variantsMax,
} from '../placement/plan-overrides.ts';

/** As a member cluster judges the shard, which gives addresses and ports itself. */
const memberService = serviceKind({ federation: false });
/** One wrong override is wrong in each of its clusters: what is more says nothing new. */
const errorsMax = 10;

export function judgeOverrides(
  policy: ServicePolicy,
  service: Service,
  clusters: readonly Cluster[],
): readonly FieldError[] {
  return runAtOnce(judgeInSteps(policy, service, clusters));
}

/** As judgeOverrides, for whoever lets others have their turns meanwhile. */
export function* judgeInSteps(
  policy: ServicePolicy,
  service: Service,
  clusters: readonly Cluster[],
): Steps<readonly FieldError[]> {
  const { overrides = [], placement } = policy.spec ?? {};
  const base = toManifest(service, policy);
  const pace = new Pace(operationsPerStep);
  const chosen = indexChoices([placement]);
  const overriding = indexChoices(overrides);
  const judged = new Set<string>();
  const errors = new Map<string, FieldError>();
  const later = overrides.flatMap((override, index) => (isForAll(override) ? [index] : []));
  const seen = new Set<readonly number[]>();
  for (const cluster of [...clusters, undefined]) {
    if (cluster !== undefined && chosen.places(cluster).length === 0) continue;
    // Clusters that join later have what holds for all.
    const places = cluster === undefined ? later : overriding.places(cluster);
    if (places.length === 0 || seen.has(places) || judged.has(places.join())) continue;
    if (judged.size >= variantsMax && cluster !== undefined) {
      const error = fault(tooManyVariants, '');
      errors.set(error.message, error);
      break;
    }
    seen.add(places);
    judged.add(places.join());
    const where =
      cluster === undefined ? '' : ` in cluster ${toClusterName(cluster.metadata.name)}`;
    const result = yield* applyInSteps(base, { overrides, places, pace });
    if (pace.isOver(judgingCost)) yield;
    const found =
      result.kind === 'failed'
        ? [fault(result.failure, where)]
        : judgeShard(result.manifest as unknown as KubeObject, places, where);
    for (const error of found) errors.set(`${error.field} ${error.message}`, error);
    if (errors.size >= errorsMax) break;
  }
  return [...errors.values()].slice(0, errorsMax);
}

/** Of the rules of Services, beside what operationsPerStep counts. */
const judgingCost = 20;

function isForAll(choice: NonNullable<NonNullable<ServicePolicy['spec']>['overrides']>[number]) {
  return choice.clusters === undefined && choice.clusterSelector === undefined;
}

function fault(
  { field, message }: { readonly field: string; readonly message: string },
  where: string,
): FieldError {
  return {
    field: `spec.${field}`,
    reason: 'FieldValueInvalid',
    message: `Invalid value: it cannot be done to the Service${where}: ${message}`,
  };
}

/** The rules of Services over the result; all overrides together are what is wrong. */
function judgeShard(
  manifest: KubeObject,
  places: readonly number[],
  where: string,
): readonly FieldError[] {
  const complete = memberService.setDefaults?.(manifest) ?? manifest;
  const field = `spec.overrides[${places.at(-1) ?? 0}]`;
  return memberService.validate(complete).map((error) => ({
    ...invalidValue(field, '', ''),
    message: `Invalid value: it makes an illegal shard${where}: ${error.field}: ${error.message}`,
  }));
}
