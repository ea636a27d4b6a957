// A publication as an object of the log, and back.

import { isthmusApiVersion, isthmusGroup } from '../model/isthmus-kinds.ts';
import { splitServiceKey, toLogKey, type LogKey, type ServiceKey } from '../model/ids.ts';
import type { KubeObject } from '../model/kube-object.ts';
import type { Publication } from '../model/publication.ts';

/** `isthmus.dev/publications/<namespace>/<service>.<zone>`. */
export function toPublicationKey(key: ServiceKey, zone: string): LogKey {
  const { namespace, name } = splitServiceKey(key);
  return toLogKey({
    group: isthmusGroup,
    resource: 'publications',
    namespace,
    name: `${name}.${zone}`,
  });
}

export function toPublicationObject(publication: Publication): KubeObject {
  const { namespace, name } = splitServiceKey(publication.key);
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Publication',
    metadata: { namespace, name: `${name}.${publication.zone}` },
    spec: publication,
  };
}

/** The publication in `object`, or undefined when it is none. */
export function readPublication(object: KubeObject | undefined): Publication | undefined {
  if (object?.kind !== 'Publication' || object.spec === undefined) return undefined;
  const publication = object.spec as Publication; // written by toPublicationObject only
  return Array.isArray(publication.recordSets) && Array.isArray(publication.shards)
    ? publication
    : undefined;
}
