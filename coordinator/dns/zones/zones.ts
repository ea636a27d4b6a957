// Follows DNSZones, their Secrets and the labels of Namespaces: which zones there are, which
// publish a Service, and the open provider of each.
// Input: the log. Output: DnsZoneView and ProviderSource; what is found of each, for its status.
// Next: provider-keeper.ts opens providers, status-loop.ts tells people.
//
//   Z1. What the log says of zones is folded at once; who asks always sees the newest.
//   Z2. A provider that cannot be opened or asked changes nothing that is published.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import {
  splitServiceKey,
  toLogKey,
  toLogPrefix,
  type LogKey,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import { isthmusGroup } from '../../../common/model/isthmus-kinds.ts';
import type { DnsZoneState, DnsZoneView } from '../../../common/model/views.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import { follow, followNew, type ViewEvent } from '../../desired/store.ts';
import type { ProviderSource } from '../provider/provider-source.ts';
import { readServiceDns } from '../publish/governing-policy.ts';
import { createWalks } from '../publish/walk.ts';
import type { DnsZonesOptions } from './options.ts';
import { findConflict, placeOf, type Refusal } from './plan-conflicts.ts';
import { createProviderKeeper, type ZoneFound } from './provider-keeper.ts';
import { isPublishedIn } from './selection.ts';

export interface DnsZones {
  readonly view: DnsZoneView;
  readonly source: ProviderSource;
  found(dnsZone: string): ZoneFound | undefined;
  /** Told when found(dnsZone) is different. */
  subscribeFound(listener: (dnsZone: string) => void): () => void;
  start(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export const zonesPrefix = toLogPrefix(isthmusGroup, 'dnszones');

export function createDnsZones(options: DnsZonesOptions): DnsZones {
  return new Zones(options);
}

type ZoneListener = Parameters<DnsZoneView['subscribe']>[0];

class Zones implements DnsZones {
  readonly view: DnsZoneView;
  readonly source: ProviderSource;
  readonly #options: DnsZonesOptions;
  /** By name; in the order of names. */
  readonly #zones = new Map<string, DnsZone>();
  readonly #states = new Map<string, DnsZoneState>();
  readonly #bySecret = new Map<LogKey, Set<string>>();
  /** Only zones of one place can be in each other's way. */
  readonly #byPlace = new Map<string, Set<string>>();
  readonly #listeners = new Set<ZoneListener>();
  readonly #providerListeners = new Set<(dnsZone: string) => void>();
  readonly #foundListeners = new Set<(dnsZone: string) => void>();
  #running: Running | undefined;

  constructor(options: DnsZonesOptions) {
    this.#options = options;
    this.view = {
      zones: () => [...this.#states.values()].sort(byName),
      zone: (name) => this.#states.get(name),
      zonesOf: (key) => this.#zonesOf(key),
      subscribe: (listener) => subscribeTo(this.#listeners, listener),
    };
    this.source = {
      provider: (name) => this.#running?.keeper.provider(name),
      subscribe: (listener) => subscribeTo(this.#providerListeners, listener),
    };
  }

  found(dnsZone: string): ZoneFound | undefined {
    return this.#running?.keeper.found(dnsZone);
  }

  subscribeFound(listener: (dnsZone: string) => void): () => void {
    return subscribeTo(this.#foundListeners, listener);
  }

  start(): void {
    if (this.#running !== undefined) return;
    const { desired } = this.#options;
    const keeper = createProviderKeeper(this.#options, {
      zoneOf: (name) => this.#zones.get(name),
      conflictOf: (name) => this.#conflictOf(name),
      onFound: (name) => {
        this.#refresh(name);
        for (const listener of this.#foundListeners) listener(name);
      },
      onProvider: (name) => this.#providerListeners.forEach((listener) => listener(name)),
    });
    const walks = createWalks(this.#options);
    this.#running = { keeper, walks, handles: [] };
    this.#running.handles.push(
      follow(desired, zonesPrefix, (event) => this.#onZone(event)),
      followNew(desired, toLogPrefix('', 'secrets'), ({ current }) => {
        for (const name of this.#bySecret.get(current.key) ?? []) keeper.mark(name);
      }),
      followNew(desired, toLogPrefix('', 'namespaces'), (event) => this.#onNamespace(event)),
    );
  }

  async idle(): Promise<void> {
    await this.#running?.keeper.idle();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    for (const handle of running?.handles ?? []) handle.cancel();
    running?.walks.stop();
    await running?.keeper.stop();
    this.#running = undefined;
    this.#zones.clear();
    this.#states.clear();
    this.#bySecret.clear();
    this.#byPlace.clear();
  }

  #onZone({ kind, current, previous }: ViewEvent): void {
    const { name } = current.object.metadata;
    const after = kind === 'deleted' ? undefined : (current.object as DnsZone); // by its prefix
    const before = previous?.object as DnsZone | undefined;
    moveIn(this.#bySecret, name, secretKey(before), secretKey(after));
    const [formerPlace, place] = [before, after].map((one) => one && placeOf(one.spec));
    moveIn(this.#byPlace, name, formerPlace, place);
    if (after === undefined) this.#zones.delete(name);
    else this.#zones.set(name, after);
    this.#refresh(name);
    if (!isOneChange(before, after)) return;
    this.#running?.keeper.mark(name);
    // Whether another one is in its way may be otherwise for each of its place; they are few.
    if (isSameJson(before?.spec, after?.spec)) return;
    for (const other of this.#neighbours(formerPlace, place)) {
      this.#refresh(other);
      this.#running?.keeper.mark(other);
    }
  }

  #neighbours(...places: readonly (string | undefined)[]): ReadonlySet<string> {
    return new Set(places.flatMap((at = '') => [...(this.#byPlace.get(at) ?? [])]));
  }

  /** Only zones that choose by labels can choose otherwise. */
  #onNamespace({ current, previous }: ViewEvent): void {
    const labels = current.object.metadata.labels ?? {};
    if (isSameJson(labels, previous?.object.metadata.labels ?? {})) return;
    const choosing = [...this.#zones.values()].filter((zone) => zone.spec.namespaceSelector);
    if (choosing.length === 0) return;
    const { name } = current.object.metadata;
    this.#running?.walks.walk(`namespace/${name}`, name, (key) => {
      for (const { metadata } of choosing) this.#tell(metadata.name, key);
    });
  }

  #conflictOf(name: string): Refusal | undefined {
    const zone = this.#zones.get(name);
    if (zone === undefined || zone.spec.provider === 'Embedded') return undefined;
    const beside = [...this.#neighbours(placeOf(zone.spec))];
    return findConflict(
      zone,
      beside.flatMap((other) => this.#zones.get(other) ?? []),
    );
  }

  /** Folds what is known of one zone, and tells if it is different. */
  #refresh(name: string): void {
    const zone = this.#zones.get(name);
    const before = this.#states.get(name);
    if (zone === undefined) {
      this.#states.delete(name);
      if (before !== undefined) this.#tell(name, undefined);
      return;
    }
    const found = this.#running?.keeper.found(name);
    const after = toState(zone, this.#conflictOf(name), found);
    if (before !== undefined && isSameJson(before, after)) return;
    this.#states.set(name, after);
    this.#tell(name, undefined);
  }

  #tell(dnsZone: string, key: ServiceKey | undefined): void {
    for (const listener of this.#listeners) listener({ dnsZone, key });
  }

  #zonesOf(key: ServiceKey): readonly string[] | undefined {
    const { desired, placement } = this.#options;
    const { namespace } = splitServiceKey(key);
    const at = toLogKey({ group: '', resource: 'namespaces', name: namespace });
    const namespaceLabels = desired.get(at)?.object.metadata.labels ?? {};
    const dns = readServiceDns({ desired, placement }, key);
    // Without the policy's word a Service of a private zone could come into a public one.
    if (dns === 'unknown') return undefined;
    const selected = { namespace, namespaceLabels, zones: dns?.zones };
    return [...this.#states.values()]
      .filter((zone) => zone.isPublishing && isPublishedIn(zone, selected))
      .map((zone) => zone.name)
      .sort();
  }
}

interface Running {
  readonly keeper: ReturnType<typeof createProviderKeeper>;
  readonly walks: ReturnType<typeof createWalks>;
  readonly handles: { cancel(): void }[];
}

/** Whether more than its status is different. */
function isOneChange(before: DnsZone | undefined, after: DnsZone | undefined): boolean {
  return (
    before === undefined ||
    after === undefined ||
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    !isSameJson(before.spec, after.spec)
  );
}

/** Of a zone's quota: others keep records there too, and our marks need room. */
const ourShare = 0.8;

function toState(
  zone: DnsZone,
  conflict: Refusal | undefined,
  found: ZoneFound | undefined,
): DnsZoneState {
  const { name, uid = '', generation = 1, deletionTimestamp } = zone.metadata;
  const isDeleting = deletionTimestamp !== undefined;
  const refusal = conflict ?? refusalOf(found);
  const quota = found?.description?.recordSetsMax;
  const recordSetsMax = quota === undefined ? undefined : Math.floor(quota * ourShare);
  return {
    name,
    uid,
    generation,
    spec: zone.spec,
    isDeleting,
    isPublishing: !isDeleting && conflict === undefined,
    ...(refusal === undefined ? {} : { refusal }),
    ...(recordSetsMax === undefined ? {} : { recordSetsMax }),
  };
}

/** Why nothing is tried; who is denied tries again, and finds out when that ends. */
function refusalOf(found: ZoneFound | undefined): Refusal | undefined {
  if (found?.opening.kind !== 'refused') return undefined;
  const { reason, message } = found.opening;
  return { reason, message };
}

function secretKey(zone: DnsZone | undefined): LogKey | undefined {
  const ref = zone?.spec.secretRef;
  return ref === undefined ? undefined : toLogKey({ group: '', resource: 'secrets', ...ref });
}

/** Takes a name from where it stood to where it stands; what is empty goes. */
function moveIn<K>(
  index: Map<K, Set<string>>,
  name: string,
  former: K | undefined,
  next: K | undefined,
): void {
  if (former !== undefined) {
    const names = index.get(former);
    names?.delete(name);
    if (names?.size === 0) index.delete(former);
  }
  if (next !== undefined) index.set(next, (index.get(next) ?? new Set<string>()).add(name));
}

function subscribeTo<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
