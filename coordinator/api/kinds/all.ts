// Every kind that the federation serves.

import type { ServicePools } from '../allocation/service-pools.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import {
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectRulesReviewKind,
  subjectAccessReviewKind,
} from './access/access-review.ts';
import { clusterCredentialsKind } from './isthmus/cluster-credentials.ts';
import { clusterKind } from './isthmus/cluster.ts';
import { configMapKind, secretKind } from './config-map.ts';
import { customResourceDefinitionKind } from './custom-resource-definition.ts';
import { projectedKind } from './definition.ts';
import { endpointsKind, endpointSliceKind } from './endpoints.ts';
import { dnsZoneKind } from './isthmus/dns-zone.ts';
import { eventKind, newEventKind } from './event/event.ts';
import { selfSubjectReviewKind, tokenReviewKind } from './access/identity-review.ts';
import { joinTokenKind, type JoinTokenOptions } from './isthmus/join-token.ts';
import { leaseKind } from './lease.ts';
import { namespaceKind } from './namespace.ts';
import { dnsRecordSetKind, serviceShardKind } from './isthmus/projections.ts';
import { clusterRoleBindingKind, roleBindingKind } from './access/role-binding.ts';
import type { ClusterName } from '../../../common/model/ids.ts';
import type { AgentAnswer } from '../../../common/model/views.ts';
import { clusterRoleKind, roleKind } from './access/role.ts';
import { dnsImportReviewKind } from './isthmus/dns-import-review.ts';
import { dnsAnswerReviewKind } from './isthmus/dns-answer-review.ts';
import { dnsPlanReviewKind } from './isthmus/dns-plan-review.ts';
import type { AppliedView, ImportSource } from '../../../common/model/views.ts';
import { servicePolicyKind } from './isthmus/service-policy.ts';
import { serviceKind } from './service/service.ts';

export interface FederationKindsOptions extends JoinTokenOptions {
  /** Where Services get addresses and ports; without it they get none. */
  readonly pools?: ServicePools;
  /** Commands that the coordinator may run for kubeconfigs of hosted clusters. Default: none. */
  readonly hostedExecCommands?: readonly string[];
  /** What the agent of a cluster answers its Pods. Default: none can be asked. */
  readonly askAgent?: (cluster: ClusterName, message: Uint8Array) => Promise<AgentAnswer>;
  /** What is written at DNS providers, once somebody writes there. */
  readonly appliedDns?: () => Pick<AppliedView, 'planned' | 'zone'> | undefined;
  /** What stands at DNS providers, to be looked at before it is taken over. */
  readonly dnsImports?: () => ImportSource | undefined;
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
    {
      ...clusterKind,
      subresources: {
        credentials: clusterCredentialsKind({ execCommands: options.hostedExecCommands ?? [] }),
      },
    },
    joinTokenKind(options),
    servicePolicyKind,
    dnsZoneKind,
    serviceShardKind,
    dnsRecordSetKind,
    dnsAnswerReviewKind(options.askAgent ?? (() => Promise.resolve({ kind: 'away' }))),
    dnsPlanReviewKind(options.appliedDns ?? (() => undefined)),
    dnsImportReviewKind(options.dnsImports ?? (() => undefined)),
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
