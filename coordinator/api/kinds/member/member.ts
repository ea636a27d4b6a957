// The kinds of a member cluster's API, for the demo and for tests.

import type { KindDefinition } from '../../machinery/kind.ts';
import { configMapKind, secretKind } from '../config-map.ts';
import { customResourceDefinitionKind } from '../custom-resource-definition.ts';
import { loggedKind } from '../definition.ts';
import { endpointsKind, endpointSliceKind } from '../endpoints.ts';
import { eventKind } from '../event/event.ts';
import { leaseKind } from '../lease.ts';
import { namespaceKind } from '../namespace.ts';
import { nodeKind } from './node.ts';
import { podKind } from './pod.ts';
import { serviceKind, type Allocate } from '../service/service.ts';

export interface MemberOptions {
  /** Gives a Service its cluster IP and node ports. Without it they stay empty. */
  readonly allocate?: Allocate;
}

export function memberKinds(options: MemberOptions = {}): readonly KindDefinition[] {
  return [
    serviceKind({ federation: false, allocate: options.allocate }),
    namespaceKind,
    nodeKind,
    podKind,
    endpointsKind(loggedKind),
    endpointSliceKind(loggedKind),
    eventKind,
    leaseKind,
    configMapKind,
    secretKind,
    noCustomKinds,
  ];
}

/** There are none, and its verbs write none; a projection would need somebody to compute it. */
const noCustomKinds: KindDefinition = { ...customResourceDefinitionKind, storage: 'logged' };
