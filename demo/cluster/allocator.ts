// The hook by which the API machinery asks for a Service's cluster IP and node ports: looks up in
// the cluster's log what is taken, and moves on with each request.

import { toLogPrefix } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { planAllocation } from './plan-allocation.ts';
import { asService } from './shapes.ts';

export type Allocate = (service: KubeObject, old: KubeObject | undefined) => KubeObject;

export function createAllocator(options: {
  readonly desired: Desired;
  /** Cluster IPs are 10.<octet>.0.N. */
  readonly octet: number;
}): Allocate {
  const { desired, octet } = options;
  let turn = [...desired.list(toLogPrefix('', 'services'))].length;
  return (object, old) => {
    turn += 1;
    const services = (): readonly Service[] =>
      [...desired.list(toLogPrefix('', 'services'))].map((stored) => asService(stored.object));
    return planAllocation(
      asService(object),
      old === undefined ? undefined : asService(old),
      { prefix: `10.${octet}.0`, turn },
      {
        isTaken: (address) => services().some(({ spec }) => spec.clusterIP === address),
        isPortTaken: (port) =>
          services().some(
            ({ spec }) => spec.ports?.some(({ nodePort }) => nodePort === port) === true,
          ),
      },
    );
  };
}
