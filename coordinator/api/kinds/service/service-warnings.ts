// What is accepted and still worth a word to whoever sent it: the Warning headers of Kubernetes
// 1.34. Input: a Service as it will be stored. Output: warnings in Kubernetes' order.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { warnOfCidr, warnOfIp } from '../../machinery/rules/ip-rules.ts';
import { own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { clusterIpsOf, typeOf } from './service-spec.ts';
import { ingressOf } from './service-status-rules.ts';

export function warnOfService(service: JsonObject): readonly string[] {
  const spec = ownRecord(service, 'spec');
  return [
    ...warnOfAnnotation(service),
    ...warnOfClusterIps(spec),
    ...warnOfHeadless(spec),
    ...ownList(spec, 'externalIPs').flatMap((ip, index) =>
      toList(warnOfIp(`spec.externalIPs[${index}]`, String(ip))),
    ),
    ...toList(warnOfIp('spec.loadBalancerIP', ownText(spec, 'loadBalancerIP'))),
    ...ownList(spec, 'loadBalancerSourceRanges').flatMap((range, index) =>
      warnOfCidr(`spec.loadBalancerSourceRanges[${index}]`, String(range)),
    ),
    ...warnOfType(spec),
  ];
}

/** For a write of the status only. */
export function warnOfServiceStatus(service: JsonObject): readonly string[] {
  return ingressOf(service).flatMap((entry, index) =>
    toList(warnOfIp(`status.loadBalancer.ingress[${index}]`, ownText(entry, 'ip'))),
  );
}

function toList(warning: string | undefined): readonly string[] {
  return warning === undefined ? [] : [warning];
}

function warnOfAnnotation(service: JsonObject): readonly string[] {
  const old = 'service.kubernetes.io/topology-aware-hints';
  const annotations = ownRecord(ownRecord(service, 'metadata'), 'annotations');
  if (own(annotations, old) === undefined) return [];
  const now = 'service.kubernetes.io/topology-mode';
  return [`annotation ${old} is deprecated, please use ${now} instead`];
}

function warnOfClusterIps(spec: JsonObject): readonly string[] {
  const clusterIp = ownText(spec, 'clusterIP');
  if (clusterIp === '' || clusterIp === 'None') return [];
  return clusterIpsOf(spec).flatMap((ip, index) =>
    toList(warnOfIp(`spec.clusterIPs[${index}]`, ip)),
  );
}

function warnOfHeadless(spec: JsonObject): readonly string[] {
  if (typeOf(spec) !== 'ClusterIP' || ownText(spec, 'clusterIP') !== 'None') return [];
  const ignored = 'is ignored for headless services';
  return [
    ...(ownText(spec, 'loadBalancerIP') === '' ? [] : [`spec.loadBalancerIP ${ignored}`]),
    ...(ownList(spec, 'externalIPs').length === 0 ? [] : [`spec.externalIPs ${ignored}`]),
    // The capital letter is Kubernetes' own.
    ...(ownText(spec, 'sessionAffinity') === 'None' ? [] : [`spec.SessionAffinity ${ignored}`]),
  ];
}

function warnOfType(spec: JsonObject): readonly string[] {
  const isAlias = typeOf(spec) === 'ExternalName';
  if (isAlias && ownList(spec, 'externalIPs').length > 0) {
    return ['spec.externalIPs is ignored when spec.type is "ExternalName"'];
  }
  if (!isAlias && ownText(spec, 'externalName') !== '') {
    return ['spec.externalName is ignored when spec.type is not "ExternalName"'];
  }
  return [];
}
