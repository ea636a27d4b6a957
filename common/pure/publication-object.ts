// A publication as an object of the log, and back.

import { isthmusApiVersion, isthmusGroup } from '../model/isthmus-kinds.ts';
import {
  splitServiceKey,
  toLogKey,
  toLogPrefix,
  type LogKey,
  type ServiceKey,
} from '../model/ids.ts';
import type { KubeObject } from '../model/kube-object.ts';
import type { Publication } from '../model/publication.ts';

/** `isthmus.dev/publications/<namespace>/<service>.<name of the DNSZone>`. */
export function toPublicationKey(key: ServiceKey, dnsZone: string): LogKey {
  const { namespace, name } = splitServiceKey(key);
  return toLogKey({
    group: isthmusGroup,
    resource: 'publications',
    namespace,
    name: `${name}.${dnsZone}`,
  });
}

export function toPublicationObject(publication: Publication): KubeObject {
  const { namespace, name } = splitServiceKey(publication.key);
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Publication',
    metadata: { namespace, name: `${name}.${dnsZoneOf(publication)}` },
    spec: publication,
  };
}

/** Name of the DNSZone: the domain, in publications that were made before there were DNSZones. */
export function dnsZoneOf({ dnsZone, zone }: Publication): string {
  return dnsZone ?? zone;
}

/** Prefix of the publications of one Service, whatever the zone: a Service's name has no dot. */
export function toPublicationsPrefix(key: ServiceKey): string {
  const { namespace, name } = splitServiceKey(key);
  return `${toLogPrefix(isthmusGroup, 'publications', namespace)}${name}.`;
}

/** The publication in `object`, or undefined when it is none. */
export function readPublication(object: KubeObject | undefined): Publication | undefined {
  if (object?.kind !== 'Publication' || object.spec === undefined) return undefined;
  const publication = object.spec as Publication; // written by toPublicationObject only
  return Array.isArray(publication.recordSets) && Array.isArray(publication.shards)
    ? publication
    : undefined;
}
