// What is not as it should be, worst first, each with the next step. Pure.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { conditionsOf, textAt } from '../output.ts';
import { approvalOf, toFingerprint } from './clusters.ts';

export interface Problem {
  /** `cluster/NAME`, `dnszone/NAME` or `service/NAMESPACE/NAME`. */
  readonly on: string;
  readonly reason: string;
  readonly text: string;
}

export interface Facts {
  readonly clusters: readonly KubeObject[];
  readonly shards: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  /** DNSZones. */
  readonly zones: readonly KubeObject[];
  /** Of the coordinator. */
  readonly version: string;
}

// One look: beyond this the count says enough.
const shownMax = 20;

export function findProblems(facts: Facts): readonly Problem[] {
  const all = [
    ...facts.clusters.flatMap((cluster) => ofCluster(cluster, facts.version)),
    ...facts.zones.flatMap(ofZone),
    ...ofShards(facts.shards),
  ];
  if (all.length <= shownMax) return all;
  const rest = all.length - shownMax;
  const more = { on: '', reason: 'More', text: `and ${rest} more: kubectl isthmus status -o json` };
  return [...all.slice(0, shownMax), more];
}

function ofCluster(cluster: KubeObject, version: string): readonly Problem[] {
  const { name } = cluster.metadata;
  const on = `cluster/${name}`;
  const say = (reason: string, text: string): Problem => ({ on, reason, text: `${name}: ${text}` });
  const { decision, publicKeyHash } = approvalOf(cluster);
  if (decision === 'Pending') {
    const key = toFingerprint(publicKeyHash);
    const way = `kubectl isthmus approve ${name} --fingerprint ${key}`;
    return [say('WaitingForApproval', `its agent waits for approval: ${way}`)];
  }
  const wrong = conditionsOf(cluster)
    .filter((each) => isWrong(each.type, each.status))
    .map(({ type, reason, message }) => say(reason, `${type}: ${message}`));
  const agent = textAt(cluster, 'status', 'agentVersion');
  const skew = toSkew(agent, version);
  const isOff = skew !== 'none' && skew !== '-';
  const skewed = isOff
    ? [say('Skew', `its agent is ${agent}, the coordinator ${version} (${skew})`)]
    : [];
  return [...wrong, ...skewed];
}

/** Leaving is a state, not a fault; every other condition of ours is wanted True. */
function isWrong(type: string, status: string): boolean {
  return type === 'Leaving' ? status === 'True' : status !== 'True';
}

/** Of a DNSZone: what keeps names from being written, or from being found. */
const wrongWhen: ReadonlyMap<string, string> = new Map([
  ['Ready', 'False'],
  ['NameConflict', 'True'],
  ['Delegated', 'False'],
]);

function ofZone(zone: KubeObject): readonly Problem[] {
  const { name } = zone.metadata;
  return conditionsOf(zone)
    .filter(({ type, status }) => wrongWhen.get(type) === status)
    .map(({ reason, message }) => ({
      on: `dnszone/${name}`,
      reason,
      text: `DNSZone ${name}: ${reason}: ${message}`,
    }));
}

function ofShards(shards: readonly KubeObject[]): readonly Problem[] {
  const unclaimed = shards.filter((shard) => textAt(shard, 'status', 'reason') === 'Unclaimed');
  const refused = shards.filter(
    (shard) =>
      textAt(shard, 'status', 'applied') === 'false' &&
      !unclaimed.includes(shard) &&
      textAt(shard, 'status', 'message') !== '',
  );
  return [
    ...refused.map((shard): Problem => {
      const service = `${shard.metadata.namespace ?? ''}/${textAt(shard, 'spec', 'service')}`;
      return {
        on: `service/${service}`,
        reason: textAt(shard, 'status', 'reason'),
        text: `${service} in ${textAt(shard, 'spec', 'cluster')}: ${textAt(shard, 'status', 'message')}`,
      };
    }),
    ...(unclaimed.length === 0
      ? []
      : [
          {
            on: 'serviceshards',
            reason: 'Unclaimed',
            text: `${countUnclaimed(unclaimed.length)} for a decision: kubectl isthmus unclaimed`,
          },
        ]),
  ];
}

function countUnclaimed(count: number): string {
  return count === 1 ? '1 unclaimed shard waits' : `${count} unclaimed shards wait`;
}

/** `none`, `2 minor older`, `patch newer`; `-` when there is nothing to compare. */
export function toSkew(agent: string, coordinator: string): string {
  const [a, c] = [parseVersion(agent), parseVersion(coordinator)];
  if (a === undefined || c === undefined) return '-';
  const names = ['major', 'minor', 'patch'];
  const at = names.findIndex((_name, index) => a[index] !== c[index]);
  if (at < 0) return 'none';
  const difference = (a[at] ?? 0) - (c[at] ?? 0);
  return `${Math.abs(difference)} ${names[at] ?? ''} ${difference < 0 ? 'older' : 'newer'}`;
}

function parseVersion(text: string): readonly number[] | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : match.slice(1).map(Number);
}
