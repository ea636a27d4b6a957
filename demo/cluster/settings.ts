// Settings of a simulated member cluster. Started by the demo; also usable by hand.

import type { Program } from '../../common/runtime/settings.ts';

export function clusterProgram(version: string): Program {
  return {
    name: 'isthmus-demo-cluster',
    summary: 'a simulated Kubernetes cluster with real load balancers on loopback addresses.',
    version,
    settings: [
      { name: 'name', kind: 'text', default: 'demo', description: 'Name of the cluster.' },
      {
        name: 'data-dir',
        kind: 'text',
        default: './cluster-data',
        description: 'Folder of all state.',
      },
      {
        name: 'api-listen',
        kind: 'address',
        default: '127.0.0.1:6501',
        description: 'Kubernetes API (HTTPS).',
      },
      {
        name: 'octet',
        kind: 'number',
        default: '1',
        min: 1,
        max: 250,
        description: 'Second octet of cluster, Pod and node addresses: 10.N.0.0/16.',
      },
      {
        name: 'load-balancers',
        kind: 'text',
        default: '127.11.0',
        description: 'First three octets of the load balancers, inside 127.0.0.0/8.',
      },
      {
        name: 'private-addresses',
        kind: 'switch',
        default: 'false',
        description: 'Each load balancer lists a private address beside its floating one.',
      },
      {
        name: 'node-zone',
        kind: 'text',
        description: 'Zone label of the nodes. Default: no label.',
      },
      {
        name: 'node-region',
        kind: 'text',
        description: 'Region label of the nodes. Default: no label.',
      },
      {
        name: 'provider',
        kind: 'text',
        default: 'gce',
        description: "Scheme of the nodes' providerID.",
      },
      {
        name: 'log-level',
        kind: 'choice',
        choices: ['error', 'warn', 'info', 'debug'],
        default: 'info',
        description: 'Least serious log line.',
      },
    ],
  };
}
