// What each user of NATS may say and hear. Pure.
//
//   N2. An agent publishes under its own cluster only and hears its own requests only (I8).
//
// An answer to a request is allowed once, within five seconds, to whoever asked (nats-jwt.ts).

import type { ClusterName } from '../../common/model/ids.ts';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';
import { partitionOf, requestSubject } from '../../common/pure/partition.ts';
import type { NatsPermissions } from './nats-jwt.ts';

const reportKinds = ['heartbeat', 'health', 'ingress', 'event'] as const;

export function toAgentPermissions(federation: string, cluster: ClusterName): NatsPermissions {
  const own = reportKinds.map(
    (kind) => `isthmus.${federation}.${kind}.${partitionOf(cluster)}.${cluster}`,
  );
  return {
    publish: own.flatMap((subject) => [subject, `${subject}.>`]),
    subscribe: [
      requestSubject(federation, 'sync', cluster),
      requestSubject(federation, 'probe', cluster),
      `${clusterInboxPrefix(cluster)}.>`,
    ],
  };
}

export function toCoordinatorPermissions(federation: string): NatsPermissions {
  return {
    publish: [`isthmus.${federation}.sync.*`, `isthmus.${federation}.probe.*`],
    subscribe: [`isthmus.${federation}.>`, `${coordinatorInboxPrefix}.>`],
  };
}

/** Tells servers what has become of the account, and hears whether they took it. */
export function toSystemPermissions(account: string): NatsPermissions {
  return {
    publish: [accountUpdateSubject(account)],
    subscribe: [`${coordinatorInboxPrefix}.>`],
  };
}

/** nats-server events.go, accUpdateEventSubjNew: known to 2.9 and to every kind of resolver. */
export function accountUpdateSubject(account: string): string {
  return `$SYS.REQ.ACCOUNT.${account}.CLAIMS.UPDATE`;
}
