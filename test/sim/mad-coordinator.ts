// A coordinator gone mad, as each simulated agent hears it: beside what the sane one says, it wants
// a shard where the cluster's own API Service is, and orders a Service of kube-system away.

import {
  toClusterName,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { AgentSession } from '../../agent/agent-ports.ts';

const apiServer = toServiceKey({ namespace: 'default', name: 'kubernetes' });
const dns = toServiceKey({ namespace: 'kube-system', name: 'dns' });

export const madKeys: readonly ServiceKey[] = [apiServer, dns];

const manifest: ShardManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'default', name: 'kubernetes' },
  spec: { type: 'LoadBalancer', ports: [{ port: 443 }], selector: { app: 'mine' } },
};
const bytes = Buffer.from(toCanonicalJson(manifest));
const shard = { key: apiServer, bytes, hash: contentHash(bytes) };
const order = {
  key: dns,
  cluster: toClusterName('any'),
  mode: 'delete' as const,
  revision: toRevision(1),
};

export function addMadness(session: AgentSession): AgentSession {
  const { assignment } = session;
  return {
    ...session,
    assignment: {
      ...assignment,
      shard: (key) => (key === apiServer ? shard : assignment.shard(key)),
      order: (key) => (key === dns ? order : assignment.order(key)),
      keys: function* () {
        yield* assignment.keys();
        yield* madKeys;
      },
    },
  };
}
