// Every kind that the federation serves.

import type { ServicePools } from '../allocation/service-pools.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import {
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectRulesReviewKind,
  subjectAccessReviewKind,
} from './access-review.ts';
import { clusterKind } from './cluster.ts';
import { configMapKind, secretKind } from './config-map.ts';
import { customResourceDefinitionKind } from './custom-resource-definition.ts';
import { projectedKind } from './definition.ts';
import { endpointsKind, endpointSliceKind } from './endpoints.ts';
import { eventKind, newEventKind } from './event.ts';
import { selfSubjectReviewKind, tokenReviewKind } from './identity-review.ts';
import { joinTokenKind } from './join-token.ts';
import { leaseKind } from './lease.ts';
import { namespaceKind } from './namespace.ts';
import { dnsRecordSetKind, serviceShardKind } from './projections.ts';
import { clusterRoleBindingKind, roleBindingKind } from './role-binding.ts';
import { clusterRoleKind, roleKind } from './role.ts';
import { servicePolicyKind } from './service-policy.ts';
import { serviceKind } from './service.ts';

export interface FederationKindsOptions {
  /** Lower-case hex SHA-256 of the CA certificate's DER, pinned by join tokens. */
  readonly caHash: string;
  /** Where Services get addresses and ports; without it they get none. */
  readonly pools?: ServicePools;
}

export function federationKinds(options: FederationKindsOptions): readonly KindDefinition[] {
  return [
    serviceKind({ federation: true, pools: options.pools }),
    namespaceKind,
    eventKind,
    newEventKind,
    configMapKind,
    secretKind,
    endpointsKind(projectedKind),
    endpointSliceKind(projectedKind),
    leaseKind,
    customResourceDefinitionKind,
    clusterKind,
    joinTokenKind(options),
    servicePolicyKind,
    serviceShardKind,
    dnsRecordSetKind,
    tokenReviewKind,
    selfSubjectReviewKind,
    subjectAccessReviewKind,
    localSubjectAccessReviewKind,
    selfSubjectAccessReviewKind,
    selfSubjectRulesReviewKind,
    roleKind,
    clusterRoleKind,
    roleBindingKind,
    clusterRoleBindingKind,
  ];
}
