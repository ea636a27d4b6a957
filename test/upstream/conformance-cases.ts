// Upstream's conformance cases, by their names of Kubernetes 1.34: which a federation of Services
// can be asked, and for what reason each other cannot. Names are facts of upstream's list.

/** Asked for real. They need no Pod that runs; each must pass. */
export const askedCases: readonly string[] = [
  '[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup',
  '[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace',
  '[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace',
  '[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status',
  '[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted',
  '[sig-api-machinery] Namespaces [Serial] should patch a Namespace',
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata',
  '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch',
  '[sig-api-machinery] Watchers should be able to start watching from a specific resource version',
  '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps',
  '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector',
  '[sig-api-machinery] Watchers should receive events on concurrent watches in same order',
  '[sig-api-machinery] server version should find the server version',
  '[sig-auth] SubjectReview should support SubjectReview API operations',
  '[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions',
  '[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info',
  '[sig-cli] Kubectl client Kubectl version should check is all data is printed',
  '[sig-cli] Kubectl client Proxy server should support --unix-socket=/path',
  '[sig-cli] Kubectl client Proxy server should support proxy with --port 0',
  '[sig-instrumentation] Events API should delete a collection of events',
  '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed',
  '[sig-instrumentation] Events should delete a collection of events',
  '[sig-instrumentation] Events should manage the lifecycle of an event',
  '[sig-network] EndpointSlice should have Endpoints and EndpointSlices pointing to API Server',
  '[sig-network] Services should complete a service status lifecycle',
  '[sig-network] Services should find a service from listing all namespaces',
  '[sig-network] Services should provide secure master service',
  '[sig-node] ConfigMap should fail to create ConfigMap with empty key',
  '[sig-node] ConfigMap should run through a ConfigMap lifecycle',
  '[sig-node] Lease lease API should be available',
  '[sig-node] Secrets should fail to create secret due to empty secret key',
  '[sig-node] Secrets should patch a secret',
  '[sig-storage] ConfigMap should be immutable if `immutable` field is set',
  '[sig-storage] Secrets should be immutable if `immutable` field is set',
];

/** Run too; they end otherwise, for a reason that stays. */
export const decidedCases: Readonly<Record<string, string>> = {
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers':
    'asks for the resources of admission webhooks',
  '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface':
    'asks for the resources of admission webhooks',
  '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup':
    'asks for the groups of admission webhooks and others',
  '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object':
    'the typed object is a Deployment; ported',
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object':
    'the typed object is a Deployment; ported',
  '[sig-network] EndpointSlice should support creating EndpointSlice API operations':
    'EndpointSlices are computed and read-only here',
  '[sig-network] EndpointSlice should create and delete Endpoints and EndpointSlices for a Service with a selector specified':
    'a Service without a cluster to serve it has no EndpointSlice',
  '[sig-network] Services should delete a collection of services':
    'reads at once after the delete; a deleted Service is gone a moment later, when the removal of its shards is ordered; ported',
  '[sig-network] Services should test the lifecycle of an Endpoint':
    'Endpoints are computed and read-only here',
};

/** Whose half that concerns the API is ported, in test/real/upstream-conformance.test.ts. */
export const portedCases: readonly string[] = [
  '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup',
  '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object',
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object',
  '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls',
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata',
  '[sig-network] Services should be able to change the type from ClusterIP to ExternalName',
  '[sig-network] Services should be able to change the type from ExternalName to ClusterIP',
  '[sig-network] Services should be able to change the type from ExternalName to NodePort',
  '[sig-network] Services should be able to change the type from NodePort to ExternalName',
  '[sig-network] Services should delete a collection of services',
];

/** What upstream's list holds beside, by the beginning of its names. */
export const unaskedReasons: Readonly<Record<string, string>> = {
  '[sig-apps], [sig-node], [sig-scheduling], [sig-storage] but those above': 'start Pods on nodes',
  '[sig-api-machinery] AdmissionWebhook, ValidatingAdmissionPolicy': 'no admission plugins',
  '[sig-api-machinery] CustomResource…, FieldValidation of custom resources, AggregatedDiscovery for CRDs':
    'no custom resource definitions',
  '[sig-api-machinery] Aggregator': 'no aggregated servers',
  '[sig-api-machinery] API chunking, continue from the last key after compaction':
    'waits up to 20 minutes for a compaction of etcd, with pod templates',
  '[sig-api-machinery] API priority and fairness': 'no FlowSchemas',
  '[sig-api-machinery] Garbage collector, OrderedNamespaceDeletion, ResourceQuota, Namespaces: all pods are removed':
    'on Pods, ReplicaSets or ResourceQuotas',
  '[sig-auth] Certificates API, ServiceAccounts': 'kinds that are not served',
  '[sig-cli] Kubectl client, all others': 'on Pods, ReplicationControllers and Deployments',
  '[sig-network] Services: session affinity, functioning NodePort, endpoints from pods':
    'connect to Pods',
  '[sig-network] DNS, EndpointSlice for Pods, EndpointSliceMirroring, HostPort, Networking, Proxy, endpoints latency':
    'start Pods',
  '[sig-network] Ingress API, IngressClass API, ServiceCIDR and IPAddress API':
    'kinds that are not served',
};
