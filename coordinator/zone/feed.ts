// Follows DNSZones, publications and clusters in the log and turns them into deltas for the served
// zones. Input: the desired state. Output: deltas, the first ones being everything there is.
//
//   F1. Whatever woke us, a Service's names are read anew from the log: pages of a load and events
//       may come in any order.
//   F2. A load goes by pages, so that no turn of either thread grows long.
//   F3. What changes no answer changes no serial: secondaries transfer a zone for each.
//   F4. A zone's delegation stands in the zone above it: that one's serial rises with it.

import type { DnsZone } from '../../common/model/dns-zone.ts';
import {
  toLogKey,
  toLogPrefix,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Publication } from '../../common/model/publication.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { invariant } from '../../common/pure/errors.ts';
import {
  dnsZoneOf,
  readPublication,
  toPublicationKey,
} from '../../common/pure/publication-object.ts';
import { parseTsigSecret, tsigSecretKey } from '../../common/pure/tsig-secret.ts';
import { followNew, type Desired, type ViewEvent, type WatchHandle } from '../desired/store.ts';
import type { ZoneCluster, ZoneService } from './fold.ts';
import { planEmbeddedZones, type EmbeddedZone, type ZoneSettings } from './plan-zones.ts';
import { toSerial } from './serial.ts';
import type { ZoneDelta } from './served-zones.ts';

export interface FeedOptions {
  readonly desired: Desired;
  readonly settings: ZoneSettings;
  readonly onDelta: (delta: ZoneDelta) => void;
  /** All that the log says has been told. */
  readonly onLoaded?: () => void;
  /** Runs the next page of a load in a turn of its own. Absent: at once. */
  readonly soon?: (run: () => void) => void;
}

export interface Feed {
  stop(): void;
}

const publicationPrefix = toLogPrefix(isthmusGroup, 'publications');
const clusterPrefix = toLogPrefix(isthmusGroup, 'clusters');
const zonePrefix = toLogPrefix(isthmusGroup, 'dnszones');
const secretPrefix = toLogPrefix('', 'secrets');
const termKey = toLogKey({ group: isthmusGroup, resource: 'terms', name: 'coordinator' });
// One page of a load: a millisecond or two in each thread.
const publicationsPerPage = 200;
const nothing = { kind: 'delta', parts: [], clusters: [], zones: [], removedZones: [] } as const;

/** Calls `onDelta` for what there is, then with each change of the log as it is folded. */
export function feedZones(options: FeedOptions): Feed {
  return new ZoneFeed(options);
}

class ZoneFeed implements Feed {
  readonly #options: FeedOptions;
  readonly #watches: readonly WatchHandle[];
  /** By domain; those of a load that still runs are planned, but not served. */
  #zones: ReadonlyMap<string, EmbeddedZone>;
  /** Those that hold keys of transfers. */
  #secrets: ReadonlySet<LogKey> = new Set();
  readonly #revisions = new Map<string, Revision>();
  readonly #loads: {
    readonly dnsZones: ReadonlySet<string>;
    readonly domains: readonly string[];
  }[] = [];
  #isStopped = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { desired } = options;
    this.#zones = this.#plan();
    for (const domain of this.#zones.keys()) this.#raise(domain, this.#termRevision());
    const clusters = [...desired.list(clusterPrefix)].map(({ object }) => toCluster(object, true));
    options.onDelta({ ...nothing, clusters });
    this.#watches = [
      desired.watch(publicationPrefix, desired.revision(), (events) => this.#onServices(events)),
      desired.watch(clusterPrefix, desired.revision(), (events) => this.#onClusters(events)),
      followNew(desired, zonePrefix, (event) => this.#onZone(event)),
      followNew(desired, secretPrefix, (event) => this.#onSecret(event)),
    ].map(expectWatch);
    this.#load(this.#zones.keys());
  }

  stop(): void {
    this.#isStopped = true;
    for (const watch of this.#watches) watch.cancel();
  }

  #plan(): ReadonlyMap<string, EmbeddedZone> {
    const { desired, settings } = this.#options;
    const zones = [...desired.list(zonePrefix)].map(({ object }) => object as DnsZone); // by prefix
    this.#secrets = new Set(zones.flatMap((zone) => secretKeyOf(zone) ?? []));
    const secretOf = (zone: DnsZone): string | undefined => {
      const key = secretKeyOf(zone);
      return key === undefined ? undefined : readSecret(desired.get(key)?.object);
    };
    return new Map(planEmbeddedZones(zones, settings, secretOf).map((zone) => [zone.domain, zone]));
  }

  #onSecret({ current }: ViewEvent): void {
    if (this.#secrets.has(current.key)) this.#replan(current.revision);
  }

  #onServices(events: readonly ViewEvent[]): void {
    const due = new Map<string, Set<ServiceKey>>();
    for (const { current, previous, kind } of events) {
      const publication = readPublication(current.object);
      const domain = publication && this.#domainOf(publication);
      if (publication === undefined || domain === undefined) continue;
      const before = kind === 'modified' ? readPublication(previous?.object) : undefined;
      const [former, now] = kind === 'deleted' ? [publication, undefined] : [before, publication];
      if (isSameJson(toAnswers(former), toAnswers(now))) continue; // F3
      this.#raise(domain, current.revision);
      due.set(domain, (due.get(domain) ?? new Set()).add(publication.key));
    }
    const parts = [...due].map(([domain, keys]) => this.#toPart(domain, [...keys]));
    if (parts.length > 0) this.#options.onDelta({ ...nothing, parts });
  }

  #onClusters(events: readonly ViewEvent[]): void {
    const changed = events.filter(({ kind, current, previous }) => {
      const was = previous && kind !== 'added' ? toCluster(previous.object, true) : undefined;
      return !isSameJson(was, toCluster(current.object, kind !== 'deleted')); // F3
    });
    if (changed.length === 0) return;
    for (const { current } of changed)
      for (const domain of this.#zones.keys()) this.#raise(domain, current.revision);
    const clusters = changed.map(({ kind, current }) =>
      toCluster(current.object, kind !== 'deleted'),
    );
    const parts = [...this.#zones.keys()].map((domain) => this.#toPart(domain, []));
    this.#options.onDelta({ ...nothing, parts, clusters });
  }

  #onZone({ current, previous, kind }: ViewEvent): void {
    // Its status is written again and again.
    if (kind === 'modified' && isSameJson(current.object.spec, previous?.object.spec)) return;
    this.#replan(current.revision);
  }

  #replan(revision: Revision): void {
    const before = this.#zones;
    this.#zones = this.#plan();
    const removedZones = [...before.keys()].filter((domain) => !this.#zones.has(domain));
    for (const domain of removedZones) this.#revisions.delete(domain);
    const changed = [...this.#zones.values()].filter(
      (zone) => !isSameJson(zone, before.get(zone.domain)),
    );
    if (changed.length === 0 && removedZones.length === 0) return;
    for (const { domain } of changed) this.#raise(domain, revision);
    const isLoaded = (zone: EmbeddedZone): boolean =>
      isSameJson(zone.dnsZones, before.get(zone.domain)?.dnsZones) && !this.#isLoading(zone.domain);
    const zones = changed.filter(isLoaded);
    const domains = [...zones.map(({ domain }) => domain), ...removedZones];
    const above = this.#raiseAbove(domains, revision);
    const parts = [...zones.map(({ domain }) => domain), ...above].map((domain) =>
      this.#toPart(domain, []),
    );
    this.#options.onDelta({ ...nothing, parts, zones, removedZones });
    const toLoad = changed.filter((zone) => !zones.includes(zone)).map(({ domain }) => domain);
    // What a DNSZone said that is gone, another one may say now.
    const former = toLoad.flatMap((domain) => before.get(domain)?.dnsZones ?? []);
    if (toLoad.length > 0) this.#load(toLoad, former);
  }

  #isLoading(domain: string): boolean {
    return this.#loads.some(({ domains }) => domains.includes(domain));
  }

  #load(domains: Iterable<string>, former: readonly string[] = []): void {
    const all = [...domains];
    const names = all.flatMap((domain) => this.#zones.get(domain)?.dnsZones ?? []);
    this.#loads.push({ dnsZones: new Set([...names, ...former]), domains: all });
    if (this.#loads.length === 1) this.#loadPage('');
  }

  #loadPage(after: string): void {
    const { desired, soon, onDelta } = this.#options;
    const [load] = this.#loads;
    if (load === undefined || this.#isStopped) return;
    const due = new Map<string, Set<ServiceKey>>();
    let [last, seen] = [after, 0];
    for (const { key, object, revision } of desired.list(publicationPrefix, after || undefined)) {
      last = key;
      const publication = readPublication(object);
      const domain = publication && this.#domainOfAny(publication, load.dnsZones);
      if (publication !== undefined && domain !== undefined) {
        this.#raise(domain, revision);
        due.set(domain, (due.get(domain) ?? new Set()).add(publication.key));
      }
      seen += 1;
      if (seen === publicationsPerPage) break;
    }
    const parts = [...due].map(([domain, keys]) => this.#toPart(domain, [...keys]));
    if (parts.length > 0) onDelta({ ...nothing, parts });
    const next = (): void => (seen < publicationsPerPage ? this.#endLoad() : this.#loadPage(last));
    if (soon === undefined) next();
    else soon(next);
  }

  #endLoad(): void {
    if (this.#isStopped) return;
    const done = this.#loads.shift();
    const zones = (done?.domains ?? [])
      .filter((domain) => !this.#isLoading(domain))
      .flatMap((domain) => this.#zones.get(domain) ?? []);
    const domains = zones.map(({ domain }) => domain);
    // Not the revision of the DNSZone: the zone above may have been transferred since that.
    const above = this.#raiseAbove(domains, this.#options.desired.revision());
    const parts = [...new Set([...domains, ...above])].map((domain) => this.#toPart(domain, []));
    this.#options.onDelta({ ...nothing, parts, zones });
    if (this.#loads.length > 0) this.#loadPage('');
    else this.#options.onLoaded?.();
  }

  /** F1, E1. */
  #toPart(domain: string, keys: readonly ServiceKey[]): ZoneDelta['parts'][number] {
    const found = keys.map((key) => ({ key, service: this.#resolve(domain, key) }));
    return {
      domain,
      serial: toSerial(this.#revisions.get(domain) ?? this.#termRevision()),
      services: found.flatMap(({ service }) => service ?? []),
      removedServices: found.flatMap(({ key, service }) => (service === undefined ? [key] : [])),
    };
  }

  #resolve(domain: string, key: ServiceKey): ZoneService | undefined {
    for (const dnsZone of this.#zones.get(domain)?.dnsZones ?? []) {
      const stored = this.#options.desired.get(toPublicationKey(key, dnsZone));
      const publication = readPublication(stored?.object);
      if (publication?.zone !== domain || publication.recordSets.length === 0) continue;
      const { recordSets, fallbackTtlSeconds } = publication;
      return { key, recordSets, ...(fallbackTtlSeconds && { fallbackTtlSeconds }) };
    }
    return undefined;
  }

  /** Also of a DNSZone that has just gone, until all that it said was looked at again. */
  #domainOf(publication: Publication): string | undefined {
    const zone = this.#zones.get(publication.zone);
    if (zone === undefined) return undefined;
    const dnsZone = dnsZoneOf(publication);
    const isOurs = zone.dnsZones.includes(dnsZone);
    const isDue = this.#loads.some(({ dnsZones }) => dnsZones.has(dnsZone));
    return isOurs || isDue ? publication.zone : undefined;
  }

  #domainOfAny(publication: Publication, dnsZones: ReadonlySet<string>): string | undefined {
    const isDue = dnsZones.has(dnsZoneOf(publication)) && this.#zones.has(publication.zone);
    return isDue ? publication.zone : undefined;
  }

  /** F4. Answers the zones right above these, but those among them. */
  #raiseAbove(domains: readonly string[], revision: Revision): readonly string[] {
    const above = new Set(domains.flatMap((domain) => this.#zoneAbove(domain) ?? []));
    for (const domain of domains) above.delete(domain);
    for (const domain of above) this.#raise(domain, revision);
    return [...above];
  }

  #zoneAbove(domain: string): string | undefined {
    for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
      const above = domain.slice(dot + 1);
      if (this.#zones.has(above)) return above;
    }
    return undefined;
  }

  #raise(domain: string, revision: Revision): void {
    const known = this.#revisions.get(domain);
    if (known === undefined || revision > known) this.#revisions.set(domain, revision);
  }

  /** N2. Without one (nobody leads yet) the newest revision is not below anything shown. */
  #termRevision(): Revision {
    const { desired } = this.#options;
    return desired.get(termKey)?.revision ?? desired.revision();
  }
}

function secretKeyOf({ spec }: DnsZone): LogKey | undefined {
  if (spec.provider !== 'Embedded' || spec.secretRef === undefined) return undefined;
  return toLogKey({ group: '', resource: 'secrets', ...spec.secretRef });
}

/** Base64 of the key; undefined where the Secret holds none. */
function readSecret(secret: KubeObject | undefined): string | undefined {
  const data = (secret as { readonly data?: Readonly<Record<string, unknown>> } | undefined)?.data;
  const value = data?.[tsigSecretKey];
  if (typeof value !== 'string') return undefined;
  const bytes = parseTsigSecret(Buffer.from(value, 'base64').toString('utf8'));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
}

/** What of a publication is answered. */
function toAnswers(publication: Publication | undefined): object {
  const { recordSets = [], fallbackTtlSeconds } = publication ?? {};
  return { recordSets, fallbackTtlSeconds };
}

function expectWatch(watch: WatchHandle | 'expired'): WatchHandle {
  invariant(watch !== 'expired', 'a view can be watched from its newest revision');
  return watch;
}

function toCluster(object: KubeObject, isThere: boolean): ZoneCluster {
  const topology = isThere ? topologyOf(object as Cluster) : undefined; // by its prefix
  return { name: object.metadata.name, topology };
}
