// v1 Node, for member clusters: where an agent reads zone and region.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { isRecord, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import { conditions, objectSchema } from '../common-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { loggedKind } from '../definition.ts';
import { anything, flag, keyedList, list, struct, text, textMap, texts } from '../schema-parts.ts';

const description = 'A machine that runs pods.';

const address = struct('NodeAddress', 'One address of the node.', {
  type: text('What the address is, such as InternalIP.'),
  address: text('The address.'),
});

export const nodeKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  isNamespaced: false,
  hasStatus: true,
  description,
  schema: objectSchema('Node', description, {
    spec: struct('NodeSpec', 'What is wanted of the node.', {
      podCIDR: text('Network of its pods.'),
      podCIDRs: texts('Networks of its pods.'),
      providerID: text('The machine, in the words of its provider.'),
      unschedulable: flag('True keeps new pods away.'),
      taints: list('What keeps pods away unless they bear it.', anything('One taint.')),
    }),
    status: struct('NodeStatus', 'State of the node.', {
      capacity: textMap('What the machine has.'),
      allocatable: textMap('What pods may use.'),
      phase: text('Unused; kept for old clients.'),
      conditions,
      addresses: keyedList('Addresses of the node.', address, ['type']),
      daemonEndpoints: anything('Ports of its daemons.'),
      nodeInfo: struct('NodeSystemInfo', 'Versions on the node.', {
        machineID: text('Identifier of the machine.'),
        systemUUID: text('Identifier of the board.'),
        bootID: text('Identifier of the boot.'),
        kernelVersion: text('Version of the kernel.'),
        osImage: text('Name of the system.'),
        containerRuntimeVersion: text('Version of the container runtime.'),
        kubeletVersion: text('Version of the kubelet.'),
        kubeProxyVersion: text('Unused.'),
        operatingSystem: text('Operating system.'),
        architecture: text('Processor architecture.'),
      }),
      images: list('Images that the node has.', anything('One image.')),
    }),
  }),
  columns: [
    nameColumn,
    column('Status', 'Ready or NotReady.', formatStatus),
    column('Roles', 'Roles of the node.', formatRoles),
    ageColumn,
    column('Version', 'Version of its kubelet.', (node) =>
      ownText(ownRecord(ownRecord(node, 'status'), 'nodeInfo'), 'kubeletVersion'),
    ),
    column('Internal-IP', 'Address inside the cluster.', formatInternalIp, { priority: 1 }),
  ],
});

function formatStatus(node: JsonObject): string {
  const all = ownList(ownRecord(node, 'status'), 'conditions').filter(isRecord);
  const ready = all.find((condition) => ownText(condition, 'type') === 'Ready');
  if (ready === undefined) return 'Unknown';
  return ownText(ready, 'status') === 'True' ? 'Ready' : 'NotReady';
}

const rolePrefix = 'node-role.kubernetes.io/';

function formatRoles(node: JsonObject): string {
  const labels = Object.keys(ownRecord(ownRecord(node, 'metadata'), 'labels'));
  const roles = labels.filter((key) => key.startsWith(rolePrefix));
  if (roles.length === 0) return '<none>';
  return roles
    .map((key) => key.slice(rolePrefix.length))
    .sort()
    .join(',');
}

function formatInternalIp(node: JsonObject): string {
  const addresses = ownList(ownRecord(node, 'status'), 'addresses').filter(isRecord);
  const found = addresses.find((each) => ownText(each, 'type') === 'InternalIP');
  return found === undefined ? '<none>' : ownText(found, 'address');
}
