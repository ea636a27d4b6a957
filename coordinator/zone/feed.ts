// Follows publications and clusters in the log and turns them into deltas for a name table.
// Input: the desired state. Output: deltas, the first ones being everything there is.

import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toLogPrefix, type Revision, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import type { Desired, StoredObject, ViewEvent } from '../desired/store.ts';
import type { ZoneDelta, ZoneService } from './fold.ts';

// One message of a first load; small enough that neither thread's turn grows long.
const servicesPerDelta = 500;

export interface Feed {
  stop(): void;
}

/** Calls `onDelta` at once for what there is, then synchronously with each change of the log. */
export function feedZone(
  desired: Desired,
  domain: string,
  onDelta: (delta: ZoneDelta) => void,
): Feed {
  const from = desired.revision();
  const serial = (): number => toSerial(desired.revision());
  const clusters = [...desired.list(clusterPrefix)].map(({ object }) =>
    toClusterItem(object, true),
  );
  onDelta({ ...nothing, serial: serial(), clusters });
  let services: ZoneService[] = [];
  for (const { object } of desired.list(publicationPrefix)) {
    const service = toService(object, domain);
    if (service !== undefined) services.push(service);
    if (services.length < servicesPerDelta) continue;
    onDelta({ ...nothing, serial: serial(), services });
    services = [];
  }
  onDelta({ ...nothing, serial: serial(), services });
  const watches = [
    desired.watch(publicationPrefix, from, (events) => onDelta(toPublicationDelta(events, domain))),
    desired.watch(clusterPrefix, from, (events) => onDelta(toClusterDelta(events))),
  ];
  // From its own newest revision a view can always be watched.
  if (watches.includes('expired'))
    throw new MeshError('fatal', 'WATCH_EXPIRED', 'watching publications');
  return {
    stop: () => {
      for (const watch of watches) if (watch !== 'expired') watch.cancel();
    },
  };
}

const publicationPrefix = toLogPrefix(isthmusGroup, 'publications');
const clusterPrefix = toLogPrefix(isthmusGroup, 'clusters');
const nothing = { kind: 'delta', services: [], removedServices: [], clusters: [] } as const;

function toService(object: KubeObject, domain: string): ZoneService | undefined {
  const publication = readPublication(object);
  if (publication === undefined || publication.zone !== domain) return undefined;
  return { key: publication.key, recordSets: publication.recordSets };
}

function toPublicationDelta(events: readonly ViewEvent[], domain: string): ZoneDelta {
  const last = new Map<ServiceKey, ZoneService | undefined>();
  for (const { kind, current } of events) {
    const service = toService(current.object, domain);
    if (service !== undefined) last.set(service.key, kind === 'deleted' ? undefined : service);
  }
  const services = [...last.values()].filter((service) => service !== undefined);
  const removedServices = [...last].flatMap(([key, service]) =>
    service === undefined ? [key] : [],
  );
  return { ...nothing, serial: serialOf(events), services, removedServices };
}

function toClusterDelta(events: readonly ViewEvent[]): ZoneDelta {
  const clusters = events.map(({ kind, current }) =>
    toClusterItem(current.object, kind !== 'deleted'),
  );
  return { ...nothing, serial: serialOf(events), clusters };
}

function toClusterItem(object: KubeObject, isThere: boolean): ZoneDelta['clusters'][number] {
  const topology = isThere ? topologyOf(object as Cluster) : undefined;
  return { name: object.metadata.name, topology };
}

function serialOf(events: readonly ViewEvent[]): number {
  const newest = events.reduce<StoredObject | undefined>((_, { current }) => current, undefined);
  if (newest === undefined)
    throw new MeshError('fatal', 'ZONE_FEED_EMPTY', 'a batch without events');
  return toSerial(newest.revision);
}

const counterSize = 2 ** 40;

/**
 * SOA serial of a log revision: its counter, plus a leap per epoch, modulo 2^32 and never 0. It
 * rises in the sense of RFC 1982 with every change and every restore.
 */
export function toSerial(revision: Revision): number {
  const epoch = Math.floor(revision / counterSize);
  const serial = ((revision % counterSize) + epoch * 2 ** 26) % 2 ** 32;
  return serial === 0 ? 1 : serial;
}
