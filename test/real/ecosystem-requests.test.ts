// The requests of Terraform, Argo CD, controller-runtime and Pulumi, as their sources have them, at
// a real coordinator with one member, and at kube-apiserver: both have to say the same.

import type { ExecutionContext } from 'ava';
import { useManifestResource, useServiceResource } from '../ecosystem/terraform.ts';
import { watchAndApply } from '../ecosystem/argo-cd.ts';
import { informOfMetadata, preview } from '../ecosystem/controllers.ts';
import { at, connectByKubeconfig, listAt, type Ask } from '../ecosystem/kube-connection.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

type Use = (ask: Ask) => Promise<readonly string[]>;

const uses: readonly (readonly [string, Use, readonly string[]])[] = [
  [
    'kubernetes_service_v1 of Terraform',
    useServiceResource,
    [
      'create 201 application/json',
      'has an address',
      'version 1.34',
      'update 200',
      'read {"app":"c"} 80,443 c',
      'keeps its ports: true',
      'inner 200 ClusterIP',
      'delete 200',
      'is gone',
    ],
  ],
  [
    'kubernetes_manifest of Terraform',
    useManifestResource,
    [
      'kind found: true',
      'kind of custom kinds found: true',
      'custom kinds 200 CustomResourceDefinitionList',
      'schemas: true,true',
      'plan 201, then 404',
      'apply 201 by Terraform',
      'conflict 409 .data.a',
      'delete 200',
    ],
  ],
  [
    'Argo CD',
    watchAndApply,
    [
      'version 200',
      'openapi 200 application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
      'schema of Service: true',
      'resources: ConfigMap,Service,EndpointSlice,RoleBinding,Event,Lease',
      'faults: ',
      'tried 201, then 404',
      'applied 201',
      'healthy',
      'in sync: true',
      'has versions: true',
      'pruned 200',
    ],
  ],
  [
    'metadata informers of controller-runtime',
    informOfMetadata,
    [
      'watch list 200',
      'ADDED informed-a apiVersion,kind,metadata',
      'ADDED informed-b apiVersion,kind,metadata',
      'BOOKMARK end of the list apiVersion,kind,metadata',
      'DELETED informed-a apiVersion,kind,metadata',
      'DELETED informed-b apiVersion,kind,metadata',
      'list PartialObjectMetadataList of 0',
    ],
  ],
  [
    'Pulumi',
    preview,
    [
      'preview 201 with address: true',
      'left behind: 404',
      'up 201',
      'misspelt 500: failed to create typed patch object (/previewed; /v1, Kind=Service): .spec.porst: field not declared in schema',
      'preview of an update 200, port 81',
      'still port 80',
      'preview of a replacement 422 spec.clusterIPs[0]',
      'conflict 409 .spec.selector',
      'forced 200',
      'delete 200',
    ],
  ],
];

testWith('kubectl', 'nats-server')(
  '[k8s 131] Terraform, Argo CD, controller-runtime and Pulumi get what they need of us',
  async (t) => {
    t.timeout(150_000);
    const mesh = await openRealMesh({ clusters: 1 });
    t.teardown(() => mesh.close());
    await runAll(t, connectByKubeconfig(mesh.layout.kubeconfig));
    t.deepEqual(mesh.crashes, []);
  },
);

testWithPeers(
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
)('Terraform, Argo CD, controller-runtime and Pulumi get the same of kube-apiserver', async (t) => {
  t.timeout(150_000);
  const server = await startKubeApiserver({ isWithControllers: true });
  t.teardown(() => server.stop());
  const ask = connectByKubeconfig(server.kubeconfig);
  await runAll(t, givingAddresses(ask));
});

async function runAll(t: ExecutionContext, ask: Ask): Promise<void> {
  for (const [name, use, expected] of uses) t.deepEqual(await use(ask), expected, name);
}

/** Plays the cloud: a load balancer that is read without an address gets one. */
function givingAddresses(ask: Ask): Ask {
  return async (asked) => {
    const answer = await ask(asked);
    const isRead = asked.method === undefined && /\/services\/[^/?]+$/.test(asked.path);
    const isBalancer = at(answer.json, 'spec.type') === 'LoadBalancer';
    if (!isRead || !isBalancer || listAt(answer.json, 'status.loadBalancer.ingress').length > 0)
      return answer;
    await ask({
      method: 'PATCH',
      path: `${asked.path}/status`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { status: { loadBalancer: { ingress: [{ ip: '127.0.0.9' }] } } },
    });
    return answer;
  };
}
