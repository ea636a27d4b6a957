// May a Service that is there already become the shard? Pure. The guide says: yes, always, and it
// is changed to conform; a ServicePolicy may be more careful, and some names are held by others.

import type { ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { adoptionOf, federationOf } from '../../common/pure/shard-marks.ts';
import { toPlainConfiguration } from './plan-configuration.ts';
import { findDifferences } from './plan-drift.ts';
import type { Wish } from './plan.ts';

/** Undefined: it is our shard, or may become it. */
export function refuseAdoption(
  key: ServiceKey,
  wish: Wish,
  of: { readonly observed: Service; readonly federation: string },
): ShardResult | undefined {
  const { observed, federation } = of;
  const refuse = (reason: string, message: string): ShardResult => {
    return { key, hash: wish.hash, outcome: 'refused', reason, message };
  };
  const owner = federationOf(observed);
  if (owner === federation) return undefined;
  if (owner !== undefined) {
    return refuse('OtherFederation', `the Service there is a shard of the federation ${owner}`);
  }
  const controller = observed.metadata.ownerReferences?.find((one) => one.controller === true);
  if (controller !== undefined) {
    const who = `${controller.kind} ${controller.name} (${controller.apiVersion})`;
    return refuse(
      'NameHeldByController',
      `a Service of this name is there and belongs to ${who}, which would write it back; rename ` +
        'the Service, or keep it out of this cluster by a ServicePolicy',
    );
  }
  const policy = adoptionOf(wish.manifest.metadata.annotations);
  if (policy === 'never') {
    return refuse(
      'ServiceExists',
      'a Service of this name is there, and the ServicePolicy adopts none; delete or rename it in ' +
        'the cluster, or set adoption to always',
    );
  }
  const fields = policy === 'ifEqual' ? differingFields(wish, observed) : [];
  return fields.length === 0
    ? undefined
    : refuse(
        'ServiceDiffers',
        `a Service of this name is there, and the ServicePolicy adopts only an equal one; it ` +
          `differs in ${fields.join(', ')}`,
      );
}

function differingFields({ manifest }: Wish, observed: Service): readonly string[] {
  return findDifferences(toPlainConfiguration(manifest), observed).map(({ field }) => field);
}
