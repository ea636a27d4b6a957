// Schemas of the kinds about users and rights: rules, subjects, attributes, who somebody is.

import type { Schema } from '../../machinery/schema/schema.ts';
import { labelSelector, labelSelectorRequirement } from '../common-schema.ts';
import { flag, kept, list, struct, text, texts } from '../schema-parts.ts';

const policyRule = struct(
  'PolicyRule',
  'What may be done, and to what.',
  {
    verbs: texts('What may be done, such as get or update; * is everything.'),
    apiGroups: texts('API groups of the resources; "" is the core group, * is every group.'),
    resources: texts('Resources, such as services or services/status; * is every one.'),
    resourceNames: texts('Names of objects. None: every object.'),
    nonResourceURLs: texts('Paths that are no resources; a * may stand at the end.'),
  },
  {
    required: ['verbs'],
    protobuf: { verbs: 1, apiGroups: 2, resources: 3, resourceNames: 4, nonResourceURLs: 5 },
  },
);

export const rules: Schema = kept(list('What the role lets people do.', policyRule));

const subject = struct(
  'Subject',
  'Whom the role is given to.',
  {
    kind: text('User, Group or ServiceAccount.'),
    apiGroup: text('rbac.authorization.k8s.io for users and groups, "" for service accounts.'),
    name: text('Name of the user, the group or the service account.'),
    namespace: text('Namespace of the service account.'),
  },
  {
    required: ['kind', 'name'],
    isAtomic: true,
    protobuf: { kind: 1, apiGroup: 2, name: 3, namespace: 4 },
  },
);

export const subjects: Schema = list('Whom the role is given to.', subject);

export const roleRef: Schema = struct(
  'RoleRef',
  'The role that is given. It cannot be changed.',
  {
    apiGroup: text('Always rbac.authorization.k8s.io.'),
    kind: text('Role or ClusterRole.'),
    name: text('Name of the role.'),
  },
  {
    required: ['apiGroup', 'kind', 'name'],
    isAtomic: true,
    protobuf: { apiGroup: 1, kind: 2, name: 3 },
  },
);

// As LabelSelectorRequirement, for fields.
const fieldRequirement = struct(
  'FieldSelectorRequirement',
  'One condition of a selector.',
  {
    key: text('What is looked at.'),
    operator: text('In, NotIn, Exists or DoesNotExist.'),
    values: texts('The values of In and NotIn.'),
  },
  { required: ['key', 'operator'], protobuf: { key: 1, operator: 2, values: 3 } },
);

export const aggregationRule: Schema = struct(
  'AggregationRule',
  'Which roles this one is put together from; the server fills in rules.',
  {
    clusterRoleSelectors: list('Selectors of the roles that count.', labelSelector),
  },
  { protobuf: { clusterRoleSelectors: 1 } },
);

function selectorAttributes(goName: string, requirement: Schema): Schema {
  return struct(
    goName,
    'The selector of the request, as text or as conditions.',
    {
      rawSelector: text('As in the query of a request.'),
      requirements: list('The conditions.', requirement),
    },
    { protobuf: { rawSelector: 1, requirements: 2 } },
  );
}

const resourceAttributes = struct(
  'ResourceAttributes',
  'A request for a resource.',
  {
    namespace: text('Namespace of the request; empty for all of them or for cluster-wide kinds.'),
    verb: text('What is to be done, such as get.'),
    group: text('API group; * is every group.'),
    version: text('API version; * is every version.'),
    resource: text('Resource, such as services.'),
    subresource: text('Subresource, such as status.'),
    name: text('Name of the object; empty for all of them.'),
    fieldSelector: selectorAttributes('FieldSelectorAttributes', fieldRequirement),
    labelSelector: selectorAttributes('LabelSelectorAttributes', labelSelectorRequirement),
  },
  {
    protobuf: {
      namespace: 1,
      verb: 2,
      group: 3,
      version: 4,
      resource: 5,
      subresource: 6,
      name: 7,
      fieldSelector: 8,
      labelSelector: 9,
    },
  },
);

const nonResourceAttributes = struct(
  'NonResourceAttributes',
  'A request for a path that is no resource.',
  { path: text('The path.'), verb: text('The HTTP method in lower case.') },
  { protobuf: { path: 1, verb: 2 } },
);

const extra: Schema = {
  type: 'map',
  description: 'What else is known of the user.',
  values: {
    type: 'list',
    description: 'Values of one key.',
    items: text('One value.'),
    topology: { kind: 'atomic' },
    patch: { kind: 'replace' },
    isWrapped: true,
  },
};

const askedParts = {
  resourceAttributes: kept(resourceAttributes),
  nonResourceAttributes: kept(nonResourceAttributes),
};

export const selfAccessSpec = struct('SelfSubjectAccessReviewSpec', 'What is asked.', askedParts, {
  protobuf: { resourceAttributes: 1, nonResourceAttributes: 2 },
});

export const accessSpec = struct(
  'SubjectAccessReviewSpec',
  'Who asks for what.',
  {
    ...askedParts,
    user: text('Name of the user.'),
    groups: texts('Groups of the user.'),
    extra,
    uid: text('UID of the user.'),
  },
  {
    protobuf: {
      resourceAttributes: 1,
      nonResourceAttributes: 2,
      user: 3,
      groups: 4,
      extra: 5,
      uid: 6,
    },
  },
);

export const accessStatus = struct(
  'SubjectAccessReviewStatus',
  'The answer.',
  {
    allowed: kept(flag('True when it may be done.')),
    denied: flag('True when something forbids it, whoever else would allow it.'),
    reason: text('Why it is allowed, or is not.'),
    evaluationError: text('What could not be found out.'),
  },
  { required: ['allowed'], protobuf: { allowed: 1, reason: 2, evaluationError: 3, denied: 4 } },
);

const resourceRule = struct(
  'ResourceRule',
  'What may be done to resources.',
  {
    verbs: texts('What may be done.'),
    apiGroups: texts('API groups.'),
    resources: texts('Resources.'),
    resourceNames: texts('Names of objects; none is every object.'),
  },
  { required: ['verbs'], protobuf: { verbs: 1, apiGroups: 2, resources: 3, resourceNames: 4 } },
);

const nonResourceRule = struct(
  'NonResourceRule',
  'What may be done to paths.',
  { verbs: texts('What may be done.'), nonResourceURLs: texts('Paths.') },
  { required: ['verbs'], protobuf: { verbs: 1, nonResourceURLs: 2 } },
);

export const rulesSpec = struct(
  'SelfSubjectRulesReviewSpec',
  'Where.',
  { namespace: text('Namespace to list the rights in.') },
  { protobuf: { namespace: 1 } },
);

export const rulesStatus = struct(
  'SubjectRulesReviewStatus',
  'The rights.',
  {
    resourceRules: kept(list('Rights to resources.', resourceRule)),
    nonResourceRules: kept(list('Rights to paths.', nonResourceRule)),
    incomplete: kept(flag('True when there may be more.')),
    evaluationError: text('What could not be found out.'),
  },
  {
    required: ['resourceRules', 'nonResourceRules', 'incomplete'],
    protobuf: { resourceRules: 1, nonResourceRules: 2, incomplete: 3, evaluationError: 4 },
  },
);

const userInfo = struct(
  'UserInfo',
  'Who somebody is.',
  {
    username: text('Name of the user.'),
    uid: text('UID of the user.'),
    groups: texts('Groups of the user.'),
    extra,
  },
  { protobuf: { username: 1, uid: 2, groups: 3, extra: 4 } },
);

export const selfStatus = struct(
  'SelfSubjectReviewStatus',
  'The answer.',
  { userInfo },
  { protobuf: { userInfo: 1 } },
);

export const tokenSpec = struct(
  'TokenReviewSpec',
  'Which token.',
  {
    token: text('The token.'),
    audiences: texts('Whom the token shall be good for. None: this server.'),
  },
  { protobuf: { token: 1, audiences: 2 } },
);

export const tokenStatus = struct(
  'TokenReviewStatus',
  'The answer.',
  {
    authenticated: flag('True when the token is known.'),
    user: userInfo,
    audiences: texts('Audiences of the question that the token is good for.'),
    error: text('Why the token could not be checked.'),
  },
  { protobuf: { authenticated: 1, user: 2, error: 3, audiences: 4 } },
);
