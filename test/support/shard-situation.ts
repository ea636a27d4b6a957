// What the tables of the applier's decisions share: one wish, one order, the Service as an API server
// shows it, and how a step is written in a row.

import { toClusterName, toContentHash, toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder, ShardManifest, ShardResult } from '../../common/model/shard.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import {
  adoptionMark,
  shardContentMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import type { ShardAction, ShardSituation, Wish } from '../../agent/shard/plan.ts';

/** What it is called, what is known, the step. */
export type Row = readonly [string, Partial<ShardSituation>, string];

export const key = toServiceKey({ namespace: 'shop', name: 'nginx' });
export const hash = toContentHash('aa');
export const manifest: ShardManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', namespace: 'shop', labels: { app: 'nginx' } },
  spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }], selector: { app: 'nginx' } },
};
export const order = (mode: 'delete' | 'release'): RemovalOrder => ({
  cluster: toClusterName('a'),
  key,
  mode,
  revision: toRevision(7),
});

export const wishOf = (wished: ShardManifest, itsHash = hash): Wish => ({
  hash: itsHash,
  manifest: wished,
  text: toCanonicalJson(wished),
});
export const wish = wishOf(manifest);

/** The Service as an API server shows it after our apply, defaults and allocations included. */
export const shard: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'nginx',
    namespace: 'shop',
    uid: 'u1',
    resourceVersion: '10',
    labels: { app: 'nginx' },
    annotations: {
      [shardOfMark]: 'fed',
      [shardHashMark]: hash,
      [shardContentMark]: wish.text,
    },
  },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80, nodePort: 30_001 }],
    selector: { app: 'nginx' },
  },
};
export const foreign: Service = {
  ...shard,
  metadata: { name: 'nginx', namespace: 'shop', uid: 'u0', resourceVersion: '3' },
};

export const situation = (part: Partial<ShardSituation>): ShardSituation => ({
  key,
  federation: 'fed',
  guard: { allowedNamespaces: [], removalsPerMinute: 60 },
  wish: undefined,
  order: undefined,
  observed: undefined,
  residue: new Set(),
  isNamespaceMissing: false,
  hasApplied: false,
  isRepaired: false,
  fight: undefined,
  removalsLeft: 60,
  ...part,
});
export const withSpec = (spec: Partial<Service['spec']>): Service => ({
  ...shard,
  spec: { ...shard.spec, ...spec },
});
export const withMeta = (meta: Partial<Service['metadata']>): Service => ({
  ...shard,
  metadata: { ...shard.metadata, ...meta },
});

export const withMarks = (annotations: Readonly<Record<string, string>>): Service =>
  withMeta({ annotations: { ...shard.metadata.annotations, ...annotations } });
export const careful = (policy: string): ShardManifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, annotations: { [adoptionMark]: policy } },
});
export const fought: ShardResult = {
  key,
  hash,
  outcome: 'failed',
  reason: 'FieldFight',
  message: 'they fight',
};

export const summarize = (action: ShardAction): string => {
  if (action.kind === 'apply') return `apply ${action.cause}`;
  if (action.kind === 'nothing' || action.kind === 'refuse') {
    return `${action.kind} ${action.result?.outcome ?? '-'} ${action.result?.reason ?? '-'}`;
  }
  return action.kind;
};
