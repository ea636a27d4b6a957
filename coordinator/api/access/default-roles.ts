// The roles and bindings that a federation begins with: those of kube-apiserver as far as they speak
// of what is served here, and ours for kinds that Kubernetes does not know. Pure.
//
//   admin, edit and view gather every role with the label `aggregate-to-<name>`; ours carry it, so
//   they hold what a user of the federation needs without a rule of his own. view reads no Secrets.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { rbacGroup } from './bindings.ts';
import { mastersGroup } from './rbac.ts';

/** A role or binding without what the server sets. */
export interface DefaultObject {
  readonly kind: 'ClusterRole' | 'ClusterRoleBinding';
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: JsonObject;
}

const read = ['get', 'list', 'watch'];
const write = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const readWrite = ['get', 'list', 'watch', ...write];

const authentication = 'authentication.k8s.io';
const authorization = 'authorization.k8s.io';

/** `kinds`: all that are served; ours are found among them. */
export function toDefaultObjects(kinds: readonly KindDefinition[]): readonly DefaultObject[] {
  return [...systemRoles, ...aggregated, ...toOwnRoles(kinds), ...bindings];
}

function on(verbs: readonly string[], group: string, ...resources: readonly string[]): JsonObject {
  return { verbs, apiGroups: [group], resources };
}

function paths(...nonResourceURLs: readonly string[]): JsonObject {
  return { verbs: ['get'], nonResourceURLs };
}

function role(
  name: string,
  rules: readonly JsonObject[],
  labels: Readonly<Record<string, string>> = {},
): DefaultObject {
  return { kind: 'ClusterRole', name, labels, content: { rules } };
}

function aggregateTo(name: string): Readonly<Record<string, string>> {
  return { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' };
}

const health = ['/livez', '/readyz', '/healthz'];
const version = ['/version', '/version/'];

const systemRoles: readonly DefaultObject[] = [
  role('cluster-admin', [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]),
  role('system:discovery', [
    paths(...health, ...version, '/openapi', '/openapi/*', '/api', '/api/*', '/apis', '/apis/*'),
  ]),
  role('system:monitoring', [
    paths('/metrics', '/metrics/slis', ...health, '/livez/*', '/readyz/*', '/healthz/*'),
  ]),
  role('system:basic-user', [
    on(['create'], authorization, 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'),
    on(['create'], authentication, 'selfsubjectreviews'),
  ]),
  role('system:public-info-viewer', [paths(...health, ...version)]),
  role('system:auth-delegator', [
    on(['create'], authentication, 'tokenreviews'),
    on(['create'], authorization, 'subjectaccessreviews'),
  ]),
];

function gathering(name: string, labels: Readonly<Record<string, string>>): DefaultObject {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] };
  return { kind: 'ClusterRole', name, labels, content: { rules: null, aggregationRule } };
}

const aggregated: readonly DefaultObject[] = [
  gathering('admin', {}),
  gathering('edit', aggregateTo('admin')),
  gathering('view', aggregateTo('edit')),
  role(
    'system:aggregate-to-admin',
    [
      on(['create'], authorization, 'localsubjectaccessreviews'),
      on(readWrite, rbacGroup, 'roles', 'rolebindings'),
    ],
    aggregateTo('admin'),
  ),
  role(
    'system:aggregate-to-edit',
    [
      on(read, '', 'secrets'),
      on(write, '', 'services', 'configmaps', 'secrets', 'events'),
      on(readWrite, 'coordination.k8s.io', 'leases'),
    ],
    aggregateTo('edit'),
  ),
  role(
    'system:aggregate-to-view',
    [
      on(read, '', 'services', 'services/status', 'endpoints', 'configmaps'),
      on(read, '', 'events', 'namespaces/status'),
      on(read, '', 'namespaces'),
      on(read, 'discovery.k8s.io', 'endpointslices'),
    ],
    aggregateTo('view'),
  ),
];

/** Groups whose kinds Kubernetes' own roles do not know. */
const ownGroups: readonly string[] = ['isthmus.dev', 'multicluster.x-k8s.io'];
// A token lets a cluster in: it is for those who run the federation.
const operatorsOnly: ReadonlySet<string> = new Set(['jointokens']);

function toOwnRoles(kinds: readonly KindDefinition[]): readonly DefaultObject[] {
  const own = kinds.filter(({ group }) => ownGroups.includes(group));
  const readable = own.filter(({ plural }) => !operatorsOnly.has(plural));
  const writable = readable.filter(
    ({ isNamespaced, verbs }) => isNamespaced && verbs.includes('create'),
  );
  return [
    role('isthmus:aggregate-to-edit', byGroup(writable, write, false), aggregateTo('edit')),
    role(
      'isthmus:aggregate-to-view',
      // What Pods are answered is no more than what any of them learns.
      [...byGroup(readable, read, true), on(['create'], 'isthmus.dev', 'dnsanswerreviews')],
      aggregateTo('view'),
    ),
    role('isthmus:federation-operator', [
      on(readWrite, 'isthmus.dev', 'clusters', 'jointokens', 'dnszones'),
      on(read, 'isthmus.dev', 'clusters/status', 'jointokens/status', 'dnszones/status'),
      on(['get', 'patch', 'update'], 'isthmus.dev', 'clusters/approval'),
      // What would be written at a zone's provider, and what others have there.
      on(['create'], 'isthmus.dev', 'dnsplanreviews', 'dnsimportreviews', 'dnsanswerreviews'),
      // What becomes of a shard that nobody wants.
      on(['delete'], 'isthmus.dev', 'serviceshards'),
    ]),
    // Bound to nobody: no wildcard of another role reaches this (rules.ts).
    role('isthmus:cluster-credentials', [
      on(['create', 'update', 'delete'], 'isthmus.dev', 'clusters/credentials'),
    ]),
  ];
}

function byGroup(
  kinds: readonly KindDefinition[],
  verbs: readonly string[],
  withStatus: boolean,
): readonly JsonObject[] {
  return ownGroups.flatMap((group) => {
    const resources = kinds
      .filter((kind) => kind.group === group)
      .flatMap(({ plural, hasStatus, storage }) =>
        withStatus && hasStatus && storage === 'logged' ? [plural, `${plural}/status`] : [plural],
      );
    const distinct = [...new Set(resources)].sort();
    return distinct.length === 0 ? [] : [on(verbs, group, ...distinct)];
  });
}

function binding(name: string, ...groups: readonly string[]): DefaultObject {
  const subjects = groups.map((group) => ({ kind: 'Group', apiGroup: rbacGroup, name: group }));
  const roleRef = { apiGroup: rbacGroup, kind: 'ClusterRole', name };
  return { kind: 'ClusterRoleBinding', name, labels: {}, content: { subjects, roleRef } };
}

const bindings: readonly DefaultObject[] = [
  binding('cluster-admin', mastersGroup),
  binding('system:monitoring', 'system:monitoring'),
  binding('system:discovery', 'system:authenticated'),
  binding('system:basic-user', 'system:authenticated'),
  binding('system:public-info-viewer', 'system:authenticated', 'system:unauthenticated'),
];
