// v1 Pod, for member clusters: as much as `kubectl run` and a Service's selector need. What the
// schema does not know of a container is kept as it is.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { invalidValue, required } from '../../machinery/rules/field-errors.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../../machinery/kind.ts';
import { checkLabel1123 } from '../../machinery/rules/name-rules.ts';
import type { Schema } from '../../machinery/schema/schema.ts';
import { objectSchema } from '../common-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { loggedKind } from '../definition.ts';
import {
  anything,
  flag,
  int32,
  int64,
  keyedList,
  kept,
  list,
  struct,
  text,
  textMap,
  texts,
  time,
} from '../schema-parts.ts';

const description = 'Containers that run together on one node.';

function others(names: readonly string[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    names.map((name) => [name, anything(`The ${name} of the pod, kept as given.`)]),
  );
}

const containerPort = struct('ContainerPort', 'A port that a container serves.', {
  name: text('Name of the port.'),
  hostPort: int32('Port on the node.'),
  containerPort: int32('Number of the port.'),
  protocol: text('TCP, UDP or SCTP.'),
  hostIP: text('Address on the node.'),
});

const container = struct('Container', 'One container.', {
  name: text('Name of the container, a DNS label.'),
  image: text('Image that it runs.'),
  command: texts('Program to run instead of the image own entry point.'),
  args: texts('Arguments of the program.'),
  workingDir: text('Working directory.'),
  ports: {
    type: 'list',
    description: 'Ports that it serves.',
    items: containerPort,
    topology: { kind: 'map', keys: ['containerPort', 'protocol'], defaults: { protocol: 'TCP' } },
    patch: { kind: 'merge', key: 'containerPort' },
  },
  envFrom: list('Sources of environment variables.', anything('One source.')),
  env: keyedList(
    'Environment variables.',
    struct('EnvVar', 'One variable.', {
      name: text('Name of the variable.'),
      value: text('Its value.'),
      valueFrom: anything('Where its value comes from.'),
    }),
    ['name'],
  ),
  resources: struct('ResourceRequirements', 'What it needs and may use.', {
    limits: anything('What it may use at most.'),
    requests: anything('What it needs.'),
    claims: list('Claims that it uses.', anything('One claim.')),
  }),
  volumeMounts: list('Volumes that it sees.', anything('One mount.')),
  ...others(['volumeDevices', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle']),
  ...others(['securityContext', 'resizePolicy', 'restartPolicy']),
  terminationMessagePath: text('File that holds its last words.'),
  terminationMessagePolicy: text('How its last words are found.'),
  imagePullPolicy: text('When the image is pulled.'),
  stdin: flag('True gives it an input.'),
  stdinOnce: flag('True closes the input after the first session.'),
  tty: flag('True gives it a terminal.'),
});

const spec = struct(
  'PodSpec',
  'What is wanted of the pod.',
  {
    volumes: list('Volumes of the pod.', anything('One volume.')),
    initContainers: keyedList('Containers that run first.', container, ['name']),
    containers: keyedList('The containers.', container, ['name']),
    restartPolicy: text('Always, OnFailure or Never.'),
    terminationGracePeriodSeconds: kept(int64('Seconds that it may take to end.')),
    activeDeadlineSeconds: kept(int64('Seconds that it may run.')),
    dnsPolicy: text('How names are resolved.'),
    nodeSelector: textMap('Labels that its node must have.', true),
    serviceAccountName: text('Account that it acts as.'),
    serviceAccount: text('The same, in the older form.'),
    automountServiceAccountToken: kept(flag('False keeps the account token away.')),
    nodeName: text('Node that it runs on.'),
    hostNetwork: flag('True gives it the network of the node.'),
    hostPID: flag('True shows it the processes of the node.'),
    hostIPC: flag('True shares the inter-process memory of the node.'),
    hostname: text('Host name of the pod.'),
    subdomain: text('Domain of its host name.'),
    schedulerName: text('Scheduler that places it.'),
    priorityClassName: text('Its priority, by name.'),
    priority: kept(int32('Its priority, as a number.')),
    enableServiceLinks: kept(flag('True tells it of Services by variables.')),
    preemptionPolicy: kept(text('Whether it may push others out.')),
    tolerations: list('Taints that it bears.', anything('One toleration.')),
    imagePullSecrets: list('Secrets to pull images with.', anything('One reference.')),
    hostAliases: list('Lines of its hosts file.', anything('One line.')),
    readinessGates: list('Conditions that count for readiness.', anything('One condition type.')),
    ...others(['securityContext', 'affinity', 'dnsConfig', 'overhead', 'os', 'resources']),
    ...others(['ephemeralContainers', 'topologySpreadConstraints', 'runtimeClassName']),
    ...others(['schedulingGates', 'shareProcessNamespace', 'setHostnameAsFQDN', 'hostUsers']),
  },
  { required: ['containers'] },
);

const condition = struct('PodCondition', 'One aspect of the state of the pod.', {
  type: text('Name of the aspect.'),
  status: text('True, False or Unknown.'),
  observedGeneration: int64('Generation that it was found for.'),
  lastProbeTime: time('When it was last looked at.'),
  lastTransitionTime: time('When it last changed.'),
  reason: text('Why, in one word.'),
  message: text('Why, as a sentence.'),
});

const status = struct('PodStatus', 'State of the pod.', {
  phase: text('Pending, Running, Succeeded, Failed or Unknown.'),
  conditions: keyedList('Aspects of the state.', condition, ['type']),
  message: text('Why it is so, as a sentence.'),
  reason: text('Why it is so, in one word.'),
  hostIP: text('Address of its node.'),
  hostIPs: list('Addresses of its node.', anything('One address.')),
  podIP: text('Address of the pod.'),
  podIPs: keyedList(
    'Addresses of the pod.',
    struct('PodIP', 'One address.', { ip: text('The address.') }),
    ['ip'],
  ),
  startTime: time('When the node took it on.'),
  containerStatuses: list('State of each container.', anything('One state.')),
  initContainerStatuses: list('State of each init container.', anything('One state.')),
  qosClass: text('Class of service.'),
  nominatedNodeName: text('Node that is being cleared for it.'),
});

export const podKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  hasStatus: true,
  deleteAnswer: 'object',
  description,
  schema: objectSchema('Pod', description, { spec, status }),
  columns: [
    nameColumn,
    column('Ready', 'Containers that are ready, of all.', formatReady),
    column('Status', 'What the pod does.', formatStatus),
    column('Restarts', 'How often its containers were started again.', countRestarts, {
      type: 'integer',
    }),
    ageColumn,
    column('IP', 'Address of the pod.', (pod) => fromStatus(pod, 'podIP') || '<none>', {
      priority: 1,
    }),
    column('Node', 'Node that it runs on.', (pod) => nodeOf(pod) || '<none>', { priority: 1 }),
    column('Nominated Node', 'Node that is being cleared for it.', () => '<none>', { priority: 1 }),
    column('Readiness Gates', 'Further conditions of readiness.', () => '<none>', { priority: 1 }),
  ],
  fieldSelectors: {
    'spec.nodeName': (pod) => nodeOf(toJsonObject(pod)),
    'status.phase': (pod) => fromStatus(toJsonObject(pod), 'phase'),
    'status.podIP': (pod) => fromStatus(toJsonObject(pod), 'podIP'),
    'spec.restartPolicy': (pod) => ownText(ownRecord(toJsonObject(pod), 'spec'), 'restartPolicy'),
  },
  setDefaults: (pod) => toKubeObject(setPodDefaults(toJsonObject(pod))),
  prepareForCreate: (pod) => ({ ...pod, status: { phase: 'Pending', qosClass: 'BestEffort' } }),
  validate: (pod) => validatePod(ownRecord(toJsonObject(pod), 'spec')),
});

function setPodDefaults(pod: JsonObject): JsonObject {
  const given = ownRecord(pod, 'spec');
  const defaulted = {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    ...given,
  };
  const containers = ownList(given, 'containers').map(setContainerDefaults);
  if (containers.length === 0) return { ...pod, spec: defaulted };
  return { ...pod, spec: { ...defaulted, containers } };
}

function setContainerDefaults(given: Json): Json {
  if (!isRecord(given)) return given;
  const ports = ownList(given, 'ports').map((port) =>
    isRecord(port) ? { protocol: 'TCP', ...port } : port,
  );
  const image = ownText(given, 'image');
  const isLatest = !/:[^/]+$/.test(image) || image.endsWith(':latest');
  return {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: isLatest ? 'Always' : 'IfNotPresent',
    ...given,
    ...(ports.length === 0 ? {} : { ports }),
  };
}

function validatePod(given: JsonObject): readonly FieldError[] {
  const containers = ownList(given, 'containers').filter(isRecord);
  if (containers.length === 0) return [required('spec.containers')];
  return containers.flatMap((each, index) => {
    const field = `spec.containers[${index}]`;
    const name = ownText(each, 'name');
    const wrong = name === '' ? undefined : checkLabel1123(name);
    return [
      ...(name === '' ? [required(`${field}.name`)] : []),
      ...(wrong === undefined ? [] : [invalidValue(`${field}.name`, name, wrong)]),
      ...(ownText(each, 'image') === '' ? [required(`${field}.image`)] : []),
    ];
  });
}

function fromStatus(pod: JsonObject, field: string): string {
  return ownText(ownRecord(pod, 'status'), field);
}

function nodeOf(pod: JsonObject): string {
  return ownText(ownRecord(pod, 'spec'), 'nodeName');
}

function containerStates(pod: JsonObject): readonly JsonObject[] {
  return ownList(ownRecord(pod, 'status'), 'containerStatuses').filter(isRecord);
}

function formatReady(pod: JsonObject): string {
  const ready = containerStates(pod).filter((each) => own(each, 'ready') === true).length;
  return `${ready}/${ownList(ownRecord(pod, 'spec'), 'containers').length}`;
}

function formatStatus(pod: JsonObject): string {
  if (own(ownRecord(pod, 'metadata'), 'deletionTimestamp') !== undefined) return 'Terminating';
  return fromStatus(pod, 'reason') || fromStatus(pod, 'phase');
}

function countRestarts(pod: JsonObject): number {
  return containerStates(pod)
    .map((each) => Number(own(each, 'restartCount') ?? 0))
    .reduce((sum, count) => sum + count, 0);
}
