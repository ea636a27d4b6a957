// Publications to providers: follows the log and the DNSZones, and keeps one Zone for each DNSZone
// that a provider serves. Runs while the lease is held.
//
//   A1. What is recorded as ours and no longer published is looked at too: it goes (I7).
//   A2. What is recorded of a DNSZone that is gone for good is forgotten: nobody can write there any
//       more, and what is recorded holds shards in their clusters.
//   A3. A zone is its own world: what one provider does delays no other (I10).
//   A4. A publication that takes something out of an answer is looked at before all others.

import { isthmusGroup } from '../../../common/model/isthmus-kinds.ts';
import { toLogKey, toLogPrefix, type ServiceKey } from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { RecordSet } from '../../../common/model/publication.ts';
import type { AppliedView, DnsZoneState } from '../../../common/model/views.ts';
import { readPublication } from '../../../common/pure/publication-object.ts';
import { createLoop, type Loop } from '../../../common/runtime/loop.ts';
import { follow, type ViewEvent } from '../../desired/store.ts';
import { Budgets } from './calls.ts';
import { appliedPrefix, Journal, splitZonedKey } from './journal.ts';
import type { DnsApplierOptions } from './options.ts';
import type { FenceValue } from './step-fence.ts';
import { targetsOf, toAppliedRecord } from './zone-records.ts';
import { Zone } from './zone.ts';

export interface DnsApplier {
  /** Begins to write; call when the lease is held. Again after stop() when it is held again. */
  start(): void;
  /** Ends once what is on its way is answered or given up. */
  stop(): Promise<void>;
  /** Resolves when every Service has been looked at; writing may go on. */
  idle(): Promise<void>;
  readonly view: AppliedView;
  /** Of accounts: whoever else asks a provider pays from them too. */
  readonly budgets: Pick<Budgets, 'of'>;
}

export function createDnsApplier(options: DnsApplierOptions): DnsApplier {
  return new Applier(options);
}

class Applier implements DnsApplier {
  readonly budgets: Budgets;
  readonly #options: DnsApplierOptions;
  readonly #journal: Journal;
  readonly #listeners = new Set<Parameters<AppliedView['subscribe']>[0]>();
  /** Newest fence that was sent, by zone: a term may go on after a stop. */
  readonly #fences = new Map<string, { sent: FenceValue | undefined }>();
  readonly #zones = new Map<string, Zone>();
  /** Of DNSZones that are gone: until then their writers may still record something. */
  readonly #ends = new Map<string, Promise<void>>();
  #stops: readonly (() => void)[] | undefined;
  #forgetting: Loop<string> | undefined;

  constructor(options: DnsApplierOptions) {
    this.#options = options;
    this.#journal = new Journal(options.desired, options.term);
    this.budgets = new Budgets(options.clock);
  }

  start(): void {
    if (this.#stops !== undefined) return;
    const { desired, zones, providers } = this.#options;
    for (const zone of zones.zones()) this.#open(zone);
    const onNames = ({ current, previous }: ViewEvent): void => {
      const at = splitZonedKey(current.key);
      if (at === undefined) return;
      const isUrgent = isWithdrawal(previous?.object, current.object);
      this.#zones.get(at.dnsZone)?.mark(at.service, isUrgent);
    };
    const handles = [toLogPrefix(isthmusGroup, 'publications'), appliedPrefix].map((prefix) =>
      follow(desired, prefix, onNames),
    );
    for (const zone of this.#zones.values()) zone.marked();
    const forgetting = createLoop<string>({
      ...this.#options,
      name: 'dns-forget',
      run: (name) => this.#forget(name),
    });
    this.#forgetting = forgetting;
    for (const name of this.#recordedZones()) if (this.#isGone(name)) forgetting.mark(name);
    this.#stops = [
      ...handles.map((handle) => () => handle.cancel()),
      zones.subscribe(({ dnsZone, key }) => {
        if (key === undefined) this.#zoneChanged(dnsZone);
        else this.#zones.get(dnsZone)?.mark(key);
      }),
      providers.subscribe((dnsZone) => this.#zoneChanged(dnsZone)),
    ];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops ?? []) stop();
    this.#stops = undefined;
    const zones = [...this.#zones.values()];
    this.#zones.clear();
    await Promise.all([...zones.map((zone) => zone.stop()), this.#forgetting?.stop()]);
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#zones.values()].map((zone) => zone.idle()));
  }

  readonly view: AppliedView = {
    state: (dnsZone, key) => this.#zones.get(dnsZone)?.describe(key),
    zone: (dnsZone) => this.#zones.get(dnsZone)?.summary(),
    recorded: (dnsZone, key) => this.#journal.recorded(key, dnsZone).sets.map(toAppliedRecord),
    planned: (dnsZone, limit) => this.#zones.get(dnsZone)?.planned(limit) ?? [],
    subscribe: (listener) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
  };

  #open(zone: DnsZoneState): Zone | undefined {
    if (zone.spec.provider === 'Embedded' || this.#zones.has(zone.name)) return undefined;
    const memory = this.#fences.get(zone.name) ?? { sent: undefined };
    this.#fences.set(zone.name, memory);
    const opened = new Zone({
      name: zone.name,
      applier: this.#options,
      journal: this.#journal,
      budgets: this.budgets,
      fenceMemory: memory,
      tell: (key) => this.#tell(zone.name, key),
    });
    this.#zones.set(zone.name, opened);
    opened.start();
    return opened;
  }

  #zoneChanged(name: string): void {
    const state = this.#options.zones.zone(name);
    const known = this.#zones.get(name);
    if (state === undefined) {
      this.#zones.delete(name);
      if (known !== undefined) this.#ends.set(name, known.stop());
      this.#forgetting?.mark(name);
      return;
    }
    if (known !== undefined) return known.changed();
    const opened = this.#open(state);
    if (opened === undefined) return;
    // Of a DNSZone that came back, or came after its publications: once in its life.
    for (const prefix of [toLogPrefix(isthmusGroup, 'publications'), appliedPrefix]) {
      for (const { key } of this.#options.desired.list(prefix)) {
        const at = splitZonedKey(key);
        if (at?.dnsZone === name) opened.mark(at.service);
      }
    }
    opened.marked();
  }

  #recordedZones(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { key } of this.#options.desired.list(appliedPrefix)) {
      const at = splitZonedKey(key);
      if (at !== undefined) names.add(at.dnsZone);
    }
    return names;
  }

  /** In the log too: a view that has not seen it yet is no reason to forget anything. */
  #isGone(name: string): boolean {
    const { zones, desired } = this.#options;
    const at = toLogKey({ group: isthmusGroup, resource: 'dnszones', name });
    return zones.zone(name) === undefined && desired.get(at) === undefined;
  }

  async #forget(name: string): Promise<undefined> {
    await this.#ends.get(name);
    this.#ends.delete(name);
    if (!this.#isGone(name)) return undefined;
    const keys = [...this.#options.desired.list(appliedPrefix)].map(({ key }) => key);
    for (const key of keys) {
      const at = splitZonedKey(key);
      if (at?.dnsZone === name) await this.#journal.record(at.service, name, []);
    }
    await this.#journal.settled(name);
    return undefined;
  }

  #tell(dnsZone: string, key: ServiceKey | undefined): void {
    for (const listener of this.#listeners) listener({ dnsZone, key });
  }
}

/** A4. Also of a name that has the target no more while another one keeps it. */
function isWithdrawal(before: KubeObject | undefined, after: KubeObject): boolean {
  const former = readPublication(before);
  if (former === undefined) return false;
  const still = new Set((readPublication(after)?.recordSets ?? []).flatMap(leadsOf));
  return former.recordSets.some((set) => leadsOf(set).some((lead) => !still.has(lead)));
}

function leadsOf(set: RecordSet): readonly string[] {
  return targetsOf(set).map((target) => `${set.name} ${target}`);
}
