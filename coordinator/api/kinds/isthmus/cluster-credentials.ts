// isthmus.dev/v1alpha1 ClusterCredentials: how the coordinator reaches a cluster whose agent it runs
// itself. Written at clusters/NAME/credentials and read by nobody: the answer is without them.
//
//   I9. They are sealed in the log (desired/sealed-store.ts), in no answer and in no audit body; no
//       wildcard of a role reaches them (access/rules.ts).

import { isthmusApiVersion, isthmusGroup } from '../../../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import { forbiddenBecause, notFound } from '../../machinery/answer/status-error.ts';
import type {
  AccessContext,
  FieldError,
  KindDefinition,
  WriteContext,
} from '../../machinery/kind.ts';
import {
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { nameColumn } from '../columns.ts';
import { objectSchema } from '../common-schema.ts';
import { isthmusKind, labelName } from '../definition.ts';
import { boundText, struct } from '../schema-parts.ts';
import { readHostedKubeconfig, type HostedRules } from './hosted-kubeconfig.ts';

export const credentialsPlural = 'clustercredentials';

// A kubeconfig of one context has some kilobytes.
const kubeconfigLengthMax = 65_536;

const description =
  "How the coordinator reaches a cluster's API server, for an agent that it runs itself.";

const spec = struct(
  'ClusterCredentialsSpec',
  'Written, and never answered.',
  {
    kubeconfig: boundText(
      "A kubeconfig with everything in it. Its current context's cluster and user are kept, and " +
        'nothing else. Exec commands need the setting --hosted-exec-commands of the coordinator.',
      { maxLength: kubeconfigLengthMax },
    ),
  },
  { required: ['kubeconfig'] },
);

export function clusterCredentialsKind(rules: HostedRules): KindDefinition {
  const kind = isthmusKind({
    kind: 'ClusterCredentials',
    plural: credentialsPlural,
    categories: [],
    isNamespaced: false,
    verbs: ['create', 'update', 'delete'],
    isConfidential: true,
    allowsCreateOnUpdate: true,
    hasDependents: false,
    description,
    schema: objectSchema('ClusterCredentials', description, { spec }, { required: ['spec'] }),
    columns: [nameColumn],
    nameRule: labelName,
    refuseWrite: (next, _old, context) => {
      // What is wrong with them is told first, so that they can be tried before there is a Cluster.
      if (validate(next, rules).length === 0) requireCluster(next, context);
    },
    prepareForCreate: (next, context) => prepare(next, context, rules),
    prepareForUpdate: (next, _old, context) => prepare(next, context, rules),
    validate: (object) => validate(object, rules),
    toStored: (prepared) => withCanonical(prepared, rules),
    toAnswer: withoutKubeconfig,
  });
  return kind;
}

function clusterOf(name: string, read: WriteContext['read']): KubeObject | undefined {
  return read({ group: isthmusGroup, resource: 'clusters', name });
}

function requireCluster({ metadata }: KubeObject, { read }: AccessContext): void {
  const at = { group: isthmusGroup, resource: 'clusters', name: metadata.name };
  const cluster = clusterOf(metadata.name, read);
  if (cluster === undefined) throw notFound(at);
  if (cluster.metadata.deletionTimestamp === undefined) return;
  throw forbiddenBecause({ ...at, why: 'the cluster is leaving the federation' });
}

/** For the Cluster of now: one that comes later by the same name does not inherit them. */
function prepare(next: KubeObject, { read, warn }: WriteContext, rules: HostedRules): KubeObject {
  const {
    labels: _l,
    annotations: _a,
    finalizers: _f,
    ownerReferences: _o,
    ...metadata
  } = next.metadata;
  const { name } = metadata;
  const uid = clusterOf(name, read)?.metadata.uid ?? '';
  const found = readHostedKubeconfig(kubeconfigOf(next), rules);
  if (found.kind === 'good') for (const text of found.warnings) warn(text);
  const owner = { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid };
  return { ...next, metadata: { ...metadata, ownerReferences: [owner] } };
}

function kubeconfigOf(object: KubeObject): string {
  return ownText(ownRecord(toJsonObject(object), 'spec'), 'kubeconfig');
}

function validate(object: KubeObject, rules: HostedRules): readonly FieldError[] {
  const text = kubeconfigOf(object);
  if (text === '') return []; // the schema has said so
  const found = readHostedKubeconfig(text, rules);
  if (found.kind === 'good') return [];
  return found.faults.map(({ at, text: why }) => ({
    field: at === '' ? 'spec.kubeconfig' : `spec.kubeconfig.${at}`,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${why}`,
  }));
}

function withCanonical(prepared: KubeObject, rules: HostedRules): KubeObject {
  const found = readHostedKubeconfig(kubeconfigOf(prepared), rules);
  invariant(found.kind === 'good', 'credentials are validated before they are stored');
  return { ...prepared, spec: { kubeconfig: found.text } };
}

function withoutKubeconfig(stored: KubeObject): KubeObject {
  const { kubeconfig: _secret, ...rest } = ownRecord(toJsonObject(stored), 'spec');
  return toKubeObject({ ...toJsonObject(stored), spec: rest });
}
