// What the ServicePolicy that counts for a Service says of its names. Which one counts is
// placement's to decide.

import { splitServiceKey, toLogKey, type ServiceKey } from '../../../common/model/ids.ts';
import {
  isthmusGroup,
  type ServiceDns,
  type ServicePolicy,
} from '../../../common/model/isthmus-kinds.ts';
import type { PlacementView } from '../../../common/model/views.ts';
import type { Desired } from '../../desired/store.ts';

/** 'unknown': it has just gone, and placement has not seen that yet. */
export function readServiceDns(
  { desired, placement }: { readonly desired: Desired; readonly placement: PlacementView },
  key: ServiceKey,
): ServiceDns | undefined | 'unknown' {
  const name = placement.notes(key)?.policy;
  if (name === undefined) return undefined;
  const { namespace } = splitServiceKey(key);
  const at = toLogKey({ group: isthmusGroup, resource: 'servicepolicies', namespace, name });
  const policy = desired.get(at)?.object as ServicePolicy | undefined; // by its key
  return policy === undefined ? 'unknown' : policy.spec?.dns;
}
