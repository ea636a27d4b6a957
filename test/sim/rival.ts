// Whom a member cluster does not belong to: quotas and webhooks that refuse the agent's writes for a
// while, and a manager of others that writes back what the agent puts right.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import type { Gate } from '../support/sim-kube.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCluster } from './sim-cluster.ts';
import { federation } from './sim-coordinator.ts';
import type { Trace } from './trace.ts';
import { handPort, namespace } from './user.ts';

const refusals = [
  {
    code: 403,
    reason: 'Forbidden',
    message: 'services "x" is forbidden: exceeded quota: few, requested: services=1',
  },
  {
    code: 400,
    reason: 'BadRequest',
    message: 'admission webhook "policy.example.com" denied the request: not on Fridays',
  },
  {
    code: 500,
    reason: 'InternalError',
    message: 'Internal error occurred: failed calling webhook "policy.example.com": EOF',
  },
] as const;

/** The agent's writes to Services, or to one of them, are refused. Returns what ends it. */
export function refuseWrites(cluster: SimCluster, chance: SeededChance, name?: string): () => void {
  const refusal = chance.pick(refusals);
  const at = `/namespaces/${namespace}/services${name === undefined ? '' : `/${name}`}`;
  const gate: Gate = ({ method, target, user }) =>
    method !== 'GET' && user?.name.startsWith('agent') === true && target.includes(at)
      ? refusal
      : undefined;
  cluster.kube.refuse(gate);
  return () => cluster.kube.refuse(undefined);
}

export interface RivalOptions {
  readonly cluster: SimCluster;
  readonly name: string;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  /** It has written back over this content of the shard. */
  readonly onWrittenBack: (cluster: string, name: string) => void;
}

const rivalPort = 9_090;
export const rivalManager = 'rival-controller';
const services = { apiVersion: 'v1', plural: 'services', namespace };

/** Writes its ports back whenever the shard has others. Returns what ends it. */
export function startRival(options: RivalOptions): () => void {
  const { cluster, name, clock, chance, trace } = options;
  const client = cluster.kube.client(rivalManager);
  const ports = [{ name: 'http', port: rivalPort, protocol: 'TCP' }];
  const body = { spec: { ports } };
  let isOver = false;
  let isDue = false;
  const portsOf = ({ spec }: KubeObject): string => {
    const { ports: found = [] } = (spec ?? {}) as { readonly ports?: readonly { port: number }[] };
    return found.map(({ port }) => port).join();
  };
  const write = async (): Promise<void> => {
    isDue = false;
    const object = await client.get(services, name);
    if (isOver || object === undefined || federationOf(object) !== federation) return;
    const before = portsOf(object);
    if (before === String(rivalPort)) return;
    await client.mergePatch(services, name, body, rivalManager);
    trace.note(`${rivalManager} of ${cluster.place.name} writes its ports back on ${name}`);
    if (before !== String(handPort)) options.onWrittenBack(cluster.place.name, name);
  };
  const look = (): void => {
    if (isOver || isDue) return;
    isDue = true;
    clock.after(chance.between(50, 500), () => {
      write().catch((error: unknown) => trace.note(`rival gave up: ${describeError(error)}`));
    });
  };
  const prefix = `core/services/${namespace}/${name}`;
  const watch = cluster.kube.desired.watch(prefix, cluster.kube.desired.revision(), look);
  look();
  return () => {
    isOver = true;
    if (watch !== 'expired') watch.cancel();
  };
}
