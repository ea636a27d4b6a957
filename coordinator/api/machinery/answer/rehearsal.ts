// What runs for the first time takes ten times as long: functions are made, regular expressions compiled. A start has time
// for that, the turn of a request has not (I11).

import { writeYamlItem } from './answers.ts';

/** Everything that the YAML library tells apart: long and short texts, numbers that are texts, empty ones, keys to be quoted. */
const example = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'nginx',
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: {
      'example.com/text':
        'two lines:\nthe second is\tlonger than what one line has room for, by far',
    },
    managedFields: [
      {
        manager: 'kubectl',
        fieldsV1: { 'f:spec': { 'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': {} } } },
      },
    ],
    resourceVersion: '1',
  },
  spec: { clusterIPs: ['10.0.0.1'], ports: [{ port: 80, name: '' }], selector: null, on: true },
  status: { loadBalancer: {}, conditions: [{ message: 'in 1 of 2 clusters: "a"', weight: 0.5 }] },
};

/** Throws nothing, and leaves nothing. */
export function rehearse(): void {
  writeYamlItem(example);
}
