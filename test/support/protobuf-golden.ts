// Objects as k8s.io/apimachinery 0.33.1 encodes them, next to the JSON that Go writes of the same
// objects: field numbers are held to Kubernetes' own code, not only to each other.

export interface GoBody {
  readonly kind: string;
  /** base64. */
  readonly body: string;
  readonly json: object;
}

export const goBodies: Readonly<Record<string, GoBody>> = {
  'an Event': {
    kind: 'Event',
    body:
      'azhzAAoLCgJ2MRIFRXZlbnQSsgEKGQoFd2ViLjESABoEc2hvcCIAKgAyADgAQgASIwoHU2VydmljZRIEc2hv' +
      'cBoDd2ViIgF1KgJ2MTIAOgRzcGVjGgdDcmVhdGVkIgRtYWRlKgYKAWMSAWgyCAil69zKBhAAOggIpevcygYQ' +
      'AEACSgZOb3JtYWxSDAil69zKBhCI6tzDAloQCAMSDAil69zKBhCI6tzDAmICRG9qDwoAEgAaAXIiACoAMgA6' +
      'AHICcmN6AnJpGgAiAA==',
    json: {
      kind: 'Event',
      apiVersion: 'v1',
      metadata: { name: 'web.1', namespace: 'shop', creationTimestamp: null },
      involvedObject: {
        kind: 'Service',
        namespace: 'shop',
        name: 'web',
        uid: 'u',
        apiVersion: 'v1',
        fieldPath: 'spec',
      },
      reason: 'Created',
      message: 'made',
      source: { component: 'c', host: 'h' },
      firstTimestamp: '2026-01-02T03:04:05Z',
      lastTimestamp: '2026-01-02T03:04:05Z',
      count: 2,
      type: 'Normal',
      eventTime: '2026-01-02T03:04:05.678901Z',
      series: { count: 3, lastObservedTime: '2026-01-02T03:04:05.678901Z' },
      action: 'Do',
      related: { name: 'r' },
      reportingComponent: 'rc',
      reportingInstance: 'ri',
    },
  },
  'a Lease': {
    kind: 'Lease',
    body:
      'azhzAAofChZjb29yZGluYXRpb24uazhzLmlvL3YxEgVMZWFzZRJCChoKBmxlYWRlchIAGgRzaG9wIgAqADIA' +
      'OABCABIkCgJtZRAPGgwIpevcygYQiOrcwwIiDAil69zKBhCI6tzDAigAGgAiAA==',
    json: {
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { name: 'leader', namespace: 'shop', creationTimestamp: null },
      spec: {
        holderIdentity: 'me',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-02T03:04:05.678901Z',
        renewTime: '2026-01-02T03:04:05.678901Z',
        leaseTransitions: 0,
      },
    },
  },
  'an EndpointSlice': {
    kind: 'EndpointSlice',
    body:
      'azhzAAokChNkaXNjb3ZlcnkuazhzLmlvL3YxEg1FbmRwb2ludFNsaWNlEoMBCjQKBXdlYi0xEgAaBHNob3Ai' +
      'ACoAMgA4AEIAahkKB1NlcnZpY2UaA3dlYiIBdSoCdjEwATgAEjYKCDEwLjAuMC4xEgYIARAAGAAaAWgiEgoD' +
      'UG9kEgAaAXAiACoAMgA6ADIBbjoBekIFCgMKAXoaDQoAEgNUQ1AYUCICaDIiBElQdjQaACIA',
    json: {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        creationTimestamp: null,
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Service',
            name: 'web',
            uid: 'u',
            controller: true,
            blockOwnerDeletion: false,
          },
        ],
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.0.0.1'],
          conditions: { ready: true, serving: false, terminating: false },
          hostname: 'h',
          targetRef: { kind: 'Pod', name: 'p' },
          nodeName: 'n',
          zone: 'z',
          hints: { forZones: [{ name: 'z' }] },
        },
      ],
      ports: [{ name: '', protocol: 'TCP', port: 80, appProtocol: 'h2' }],
    },
  },
  Endpoints: {
    kind: 'Endpoints',
    body:
      'azhzAAoPCgJ2MRIJRW5kcG9pbnRzEl8KFwoDd2ViEgAaBHNob3AiACoAMgA4AEIAEkQKIQoIMTAuMC4wLjES' +
      'DwoAEgAaAXAiACoAMgA6ABoBaCIBbhIMCggxMC4wLjAuMhoAGhEKBGh0dHAQUBoDVENQIgJoMhoAIgA=',
    json: {
      kind: 'Endpoints',
      apiVersion: 'v1',
      metadata: { name: 'web', namespace: 'shop', creationTimestamp: null },
      subsets: [
        {
          addresses: [{ ip: '10.0.0.1', hostname: 'h', nodeName: 'n', targetRef: { name: 'p' } }],
          notReadyAddresses: [{ ip: '10.0.0.2' }],
          ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'h2' }],
        },
      ],
    },
  },
  'a Service with every field': {
    kind: 'Service',
    body:
      'azhzAAoNCgJ2MRIHU2VydmljZRKEAwqDAQoDd2ViEgFnGgRzaG9wIgAqAXUyATc4A0IICKXr3MoGEABKCAil' +
      '69zKBhAAUABaBgoBYRIBYmIFCgFjEgByBnguaW8veYoBOwoBbRIFQXBwbHkaAnYxIggIpevcygYQADIIRmll' +
      'bGRzVjE6DwoNeyJmOnNwZWMiOnt9fUIGc3RhdHVzErQBChsKBGh0dHASA1RDUBhQIgYIABAAGgAoADICaDIa' +
      'CDEwLjAuMC45IgxMb2FkQmFsYW5jZXIqBzEuMi4zLjQ6CENsaWVudElQQgc1LjYuNy44SgoxMC4wLjAuMC84' +
      'UgBaBUxvY2FsYJjyAWgBcgQKAgg8igELU2luZ2xlU3RhY2uSAQgxMC4wLjAuOZoBBElQdjSgAQCqAQZ4Lmlv' +
      'L2OyAQVMb2NhbLoBC1ByZWZlckNsb3NlGkUKIwohCgc5LjkuOS45EgAaA1ZJUCIPCFASA1RDUBoGeC5pby9F' +
      'Eh4KBVJlYWR5EgRUcnVlGAIiCAil69zKBhAAKgFSMgAaACIA',
    json: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: {
        name: 'web',
        generateName: 'g',
        namespace: 'shop',
        uid: 'u',
        resourceVersion: '7',
        generation: 3,
        creationTimestamp: '2026-01-02T03:04:05Z',
        deletionTimestamp: '2026-01-02T03:04:05Z',
        deletionGracePeriodSeconds: 0,
        labels: { a: 'b' },
        annotations: { c: '' },
        finalizers: ['x.io/y'],
        managedFields: [
          {
            manager: 'm',
            operation: 'Apply',
            apiVersion: 'v1',
            time: '2026-01-02T03:04:05Z',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': {} },
            subresource: 'status',
          },
        ],
      },
      spec: {
        ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'h2', port: 80, targetPort: 0 }],
        clusterIP: '10.0.0.9',
        clusterIPs: ['10.0.0.9'],
        type: 'LoadBalancer',
        externalIPs: ['1.2.3.4'],
        sessionAffinity: 'ClientIP',
        loadBalancerIP: '5.6.7.8',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 31000,
        publishNotReadyAddresses: true,
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        allocateLoadBalancerNodePorts: false,
        loadBalancerClass: 'x.io/c',
        internalTrafficPolicy: 'Local',
        trafficDistribution: 'PreferClose',
      },
      status: {
        loadBalancer: {
          ingress: [
            {
              ip: '9.9.9.9',
              ipMode: 'VIP',
              ports: [{ port: 80, protocol: 'TCP', error: 'x.io/E' }],
            },
          ],
        },
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            observedGeneration: 2,
            lastTransitionTime: '2026-01-02T03:04:05Z',
            reason: 'R',
            message: '',
          },
        ],
      },
    },
  },
};

export const goDeleteOptions: GoBody = {
  kind: 'DeleteOptions',
  body: 'azhzAAoTCgJ2MRINRGVsZXRlT3B0aW9ucxIbCAASBgoBdRIBNyIKQmFja2dyb3VuZCoDQWxsGgAiAA==',
  json: {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: 0,
    preconditions: { uid: 'u', resourceVersion: '7' },
    propagationPolicy: 'Background',
    dryRun: ['All'],
  },
};
