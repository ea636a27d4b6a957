// Events in the member cluster, on the Services that we change: the people there see with their
// own kubectl who did what and why. Best effort: a role without the right to write Events, or a
// cluster without room for them, changes nothing else.

import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';

export interface MemberEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface MemberEvents {
  /** Returns at once; never throws. */
  record(key: ServiceKey, regarding: Service | undefined, event: MemberEvent): void;
}

const messageMax = 1_024; // of an Event's message
const component = 'isthmus-agent';
// A burst of adoptions is a burst of Events; beyond this they are dropped.
const pendingMax = 64;

export function createMemberEvents(ports: {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): MemberEvents {
  const { kube, clock, chance, log } = ports;
  let pending = 0;
  let isRefused = false;
  return {
    record: (key, regarding, event) => {
      if (pending >= pendingMax) return;
      pending += 1;
      const { namespace, name } = splitServiceKey(key);
      const id = chance.uuid().slice(-12);
      const object = toEvent({ key, regarding, event, now: toTimestamp(clock.now()) });
      const metadata = { namespace, name: `${name.slice(0, 230)}.${id}` };
      kube
        .create({ apiVersion: 'v1', plural: 'events', namespace }, { ...object, metadata })
        .then(
          () => undefined,
          (error: unknown) => {
            if (isRefused) return;
            isRefused = true; // once is enough
            log.info('Events cannot be written in the cluster', { error: describeError(error) });
          },
        )
        .finally(() => {
          pending -= 1;
        })
        .catch(() => undefined);
    },
  };
}

function toEvent(of: {
  readonly key: ServiceKey;
  readonly regarding: Service | undefined;
  readonly event: MemberEvent;
  readonly now: string;
}): Omit<KubeObject, 'metadata'> {
  const { regarding, event, now } = of;
  const uid = regarding?.metadata.uid;
  const object = {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Service',
      ...splitServiceKey(of.key),
      ...(uid === undefined ? {} : { uid }),
    },
    type: event.type,
    reason: event.reason,
    message: event.message.slice(0, messageMax),
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  return object;
}
