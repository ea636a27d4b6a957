// The checks of a Service's DNS that need nothing but the federation's own objects, in the order in
// which one would look: Service, clusters, shards, zones, records, agents. Input: objects. Output:
// findings, each with the way out where it is not ok. Pure.

import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { Cluster, DNSRecordSet, ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { conditionOf, conditionsOf, textAt } from '../output.ts';
import type { DnsFacts } from './dns-facts.ts';

export interface Finding {
  /** skip: it was not to be looked at, and says why. */
  readonly status: 'ok' | 'warn' | 'fail' | 'skip';
  readonly check: string;
  readonly message: string;
  readonly wayOut?: string;
}

export function checkObjects(facts: DnsFacts, service: KubeObject): readonly Finding[] {
  return [
    checkService(facts, service),
    ...checkClusters(facts.clusters),
    ...checkShards(facts),
    ...zonesOf(facts).flatMap(checkZone),
    ...checkRecords(facts),
  ];
}

function checkService({ namespace, name }: DnsFacts, service: KubeObject): Finding {
  const type = textAt(service, 'spec', 'type') || 'ClusterIP';
  const check = `service ${namespace}/${name}`;
  if (service.metadata.deletionTimestamp !== undefined) {
    return { status: 'warn', check, message: 'It is being deleted; its names go.' };
  }
  if (type === 'LoadBalancer' || type === 'NodePort') {
    return { status: 'ok', check, message: `It is there, of type ${type}.` };
  }
  return {
    status: 'fail',
    check,
    message: `It is of type ${type}, which nobody outside of a cluster reaches: it gets no names.`,
    wayOut: `kubectl patch service ${name} -n ${namespace} -p '{"spec":{"type":"LoadBalancer"}}'`,
  };
}

function checkClusters(clusters: readonly Cluster[]): readonly Finding[] {
  if (clusters.length === 0) {
    const wayOut = 'kubectl isthmus join CLUSTER';
    return [{ status: 'fail', check: 'clusters', message: 'No cluster is registered.', wayOut }];
  }
  const isReady = (cluster: Cluster): boolean => conditionOf(cluster, 'Ready')?.status === 'True';
  const ready = clusters.filter(isReady);
  const status = ready.length === 0 ? 'fail' : 'warn';
  const bad = clusters
    .filter((cluster) => !isReady(cluster))
    .map((cluster): Finding => {
      const condition = conditionOf(cluster, 'Ready');
      const { name } = cluster.metadata;
      const message = `It is not Ready: ${condition?.message ?? 'its agent never joined.'}`;
      const wayOut = `kubectl describe cluster ${name}; then the log of its agent`;
      return { status, check: `cluster ${name}`, message, wayOut };
    });
  const said = `${ready.length} of ${clusters.length} are Ready.`;
  return [{ status: ready.length === 0 ? 'fail' : 'ok', check: 'clusters', message: said }, ...bad];
}

function checkShards({ shards, namespace, name }: DnsFacts): readonly Finding[] {
  if (shards.length === 0) {
    const wayOut = `kubectl isthmus explain service ${name} -n ${namespace}`;
    const message = 'No cluster has a shard: the placement chooses none, or none is Ready.';
    return [{ status: 'fail', check: 'shards', message, wayOut }];
  }
  const healthy = shards.filter(({ status }) => status.health === 'healthy');
  const status = healthy.length === 0 ? 'fail' : 'ok';
  const head = `${healthy.length} of ${shards.length} are healthy.`;
  const isAllDown = healthy.length === 0;
  return [
    { status, check: 'shards', message: head },
    ...shards.flatMap((shard) => checkShard(shard, isAllDown)),
  ];
}

/** Missing rights and quota come back from the cluster as the reason that it is not applied. */
function checkShard({ spec, status }: ServiceShard, isAllDown: boolean): readonly Finding[] {
  const check = `shard in ${spec.cluster}`;
  const said = status.message ?? status.reason;
  if (!status.applied) {
    return [
      {
        status: 'fail',
        check,
        message: `The cluster does not have it as it is wanted: ${said}`,
        wayOut:
          `rights and quota of the agent in ${spec.cluster}: kubectl --context=${spec.cluster} ` +
          'describe resourcequota; kubectl --context=... -n isthmus-system logs deploy/isthmus-agent',
      },
    ];
  }
  if (status.health === 'healthy') return [];
  const since = status.since === undefined ? '' : `, since ${status.since}`;
  return [
    {
      status: isAllDown ? 'fail' : 'warn',
      check,
      message: `It is out of DNS: ${status.health}${since}. ${said}`,
      wayOut: `its Pods: kubectl --context=${spec.cluster} get endpointslices,pods`,
    },
  ];
}

/** Those that have records of it; all of them while it has none. */
export function zonesOf({ zones, records }: DnsFacts): readonly DnsZone[] {
  const named = new Set(records.map(({ spec }) => spec.dnsZone));
  return named.size === 0 ? zones : zones.filter(({ metadata }) => named.has(metadata.name));
}

// Conditions that are wanted False. The plugin looks at Delegated itself.
const wantedFalse = new Set(['Frozen', 'PlanHeld', 'Fenced', 'NameConflict', 'NameBudget']);
const onlyWarn = new Set(['NameBudget', 'SingleServer', 'NameConflict']);
const said = 'Ready, the provider reachable and the zone found.';

function checkZone(zone: DnsZone): readonly Finding[] {
  const { name } = zone.metadata;
  const check = `zone ${name}`;
  const others = new Set(
    conditionsOf(zone).flatMap(({ type, message }) => (type === 'Ready' ? [] : message)),
  );
  const bad = conditionsOf(zone).flatMap(({ type, status, message }): readonly Finding[] => {
    // Ready says the first of the others again.
    if (type === 'Delegated' || (type === 'Ready' && others.has(message))) return [];
    const isWantedFalse = wantedFalse.has(type) || type === 'SingleServer';
    if (status === (isWantedFalse ? 'False' : 'True')) return [];
    const level = onlyWarn.has(type) || status === 'Unknown' ? 'warn' : 'fail';
    const wayOut = `kubectl describe dnszone ${name}`;
    return [{ status: level, check: `${check} ${type}`, message, wayOut }];
  });
  if (conditionsOf(zone).length === 0) {
    const message = 'The coordinator has said nothing of it yet.';
    return [{ status: 'warn', check, message, wayOut: 'Look again in some seconds.' }];
  }
  return bad.length > 0
    ? bad
    : [{ status: 'ok', check, message: `${zone.spec.provider}, ${zone.spec.domain}: ${said}` }];
}

const waiting = new Set<DNSRecordSet['status']['state']>(['submitted', 'pending']);

function checkRecords({ records, namespace, name }: DnsFacts): readonly Finding[] {
  const check = 'records';
  if (records.length === 0) {
    const message = 'It has no names: none of its shards was ever healthy with a public address.';
    const wayOut = `kubectl isthmus explain service ${name} -n ${namespace}`;
    return [{ status: 'fail', check, message, wayOut }];
  }
  const live = records.filter(({ status }) => status.state === 'live');
  const head: Finding = {
    status: live.length === records.length ? 'ok' : 'warn',
    check,
    message: `${live.length} of ${records.length} record sets are live.`,
  };
  const groups = new Map<string, DNSRecordSet[]>();
  for (const record of records) {
    const { state, reason } = record.status;
    if (state === 'live') continue;
    const key = `${record.spec.dnsZone} ${state} ${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  return [head, ...[...groups.values()].map(toNotLive)];
}

function toNotLive(records: readonly DNSRecordSet[]): Finding {
  const [first] = records;
  const { state = 'pending', message = '' } = first?.status ?? {};
  const zone = first?.spec.dnsZone ?? '';
  const names = records.slice(0, 2).map(({ spec }) => spec.dnsName);
  const more = records.length > 2 ? ` and ${records.length - 2} more` : '';
  return {
    status: waiting.has(state) ? 'warn' : 'fail',
    check: `records in ${zone}`,
    message: `${state}: ${names.join(', ')}${more}. ${message}`.trim(),
    wayOut: `kubectl isthmus dns plan ${zone}`,
  };
}
