// One zone while we hold the lease: its Services are looked at when something of them changes, its
// names written, followed until they are served, and compared with what stands there.

import type { AppliedState } from '../../../common/model/dns-zone.ts';
import type { ServiceKey } from '../../../common/model/ids.ts';
import type { AppliedZone, DnsZoneState, PlannedChange } from '../../../common/model/views.ts';
import type { Timer } from '../../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../../common/runtime/loop.ts';
import type { DnsProvider } from '../provider/provider.ts';
import { Calls, type Budgets } from './calls.ts';
import type { Journal } from './journal.ts';
import type { DnsApplierOptions } from './options.ts';
import type { FenceValue } from './step-fence.ts';
import { ZoneDrift } from './zone-drift.ts';
import { ZoneEvents } from './zone-events.ts';
import { ZoneFence } from './zone-fence.ts';
import { ZoneFollow } from './zone-follow.ts';
import { ZoneFuse } from './zone-fuse.ts';
import { ZoneOutcomes } from './zone-outcomes.ts';
import { ZoneHolds } from './zone-holds.ts';
import { ZoneReader } from './zone-reader.ts';
import { isSettled, ZoneState, type Group } from './zone-state.ts';
import { describeGroup, listPlanned, summarise } from './zone-view.ts';
import { ZoneVisits } from './zone-visits.ts';
import { ZoneWriter } from './zone-writer.ts';

export interface ZoneOptions {
  readonly name: string;
  readonly applier: DnsApplierOptions;
  readonly journal: Journal;
  readonly budgets: Budgets;
  readonly fenceMemory: { sent: FenceValue | undefined };
  readonly tell: (key: ServiceKey | undefined) => void;
}

/** A Service that cannot be looked at by then holds up nobody else's failover. */
const wholeMs = 15_000;

export class Zone {
  readonly #options: ZoneOptions;
  readonly #state: ZoneState;
  readonly #abort = new AbortController();
  readonly #loop: Loop<ServiceKey>;
  readonly #fuse = new ZoneFuse();
  readonly #follow: ZoneFollow;
  readonly #reader: ZoneReader;
  readonly #drift: ZoneDrift;
  readonly #visits: ZoneVisits;
  readonly #writer: ZoneWriter;
  #heldSinceMs = 0;
  #isBeginning = true;
  #patience: Timer | undefined;
  /** What of the DNSZone changes what is wanted of its Services. */
  #shape = '';
  #cause: { generation: number | undefined; provider: DnsProvider | undefined } = {
    generation: undefined,
    provider: undefined,
  };

  constructor(options: ZoneOptions) {
    const { name, applier, journal, budgets } = options;
    const { signal } = this.#abort;
    const state = new ZoneState(name);
    this.#options = options;
    this.#state = state;
    const parts = {
      state,
      journal,
      applier,
      fuse: this.#fuse,
      zone: () => this.#zone(),
      provider: () => this.#provider(),
      mark: (key: ServiceKey) => this.mark(key),
      reread: (key: ServiceKey) => this.#reader.want(key),
      tell: (key: ServiceKey | undefined) => this.#tell(key),
      clock: applier.clock,
      chance: applier.chance,
      log: applier.log,
      metrics: applier.metrics,
      signal,
    };
    const calls = new Calls({ ...parts, dnsZone: name, budgets });
    const events = new ZoneEvents({ ...applier, zone: parts.zone });
    this.#visits = new ZoneVisits({ ...parts, events, wake: () => this.#writer.wake() });
    this.#loop = createLoop({
      ...parts,
      name: 'dns-apply',
      run: (key) => this.#visits.visit(key),
    });
    this.#follow = new ZoneFollow(calls, applier.clock, (served) => {
      for (const written of served) outcomes.live(written);
    });
    this.#reader = new ZoneReader({
      ...parts,
      calls,
      namesOf: (key) => this.#visits.namesOf(key),
      onRead: (key, observed) => this.#visits.read(key, observed),
    });
    this.#drift = new ZoneDrift({
      ...parts,
      calls,
      groups: state.groups,
      perSecond: () => this.#perSecond(),
      isDue: (group) => isAtRest(group) && this.#provider() !== undefined,
      namesOf: (group) => this.#visits.namesOf(group.key),
      onRead: (group, observed) => this.#visits.compared(group, observed),
    });
    const outcomes = new ZoneOutcomes({
      ...parts,
      events,
      follow: this.#follow,
      hasChangeStatus: () => this.#provider()?.capabilities.hasChangeStatus === true,
    });
    const fence = new ZoneFence({
      calls,
      signal,
      ownerId: applier.ownerId,
      memory: options.fenceMemory,
      term: () => applier.term.number,
    });
    this.#writer = new ZoneWriter({
      ...parts,
      calls,
      fence,
      outcomes,
      holds: new ZoneHolds({ ...parts, events }),
      federation: applier.federation,
      plan: (key) => this.#visits.plan(key),
    });
  }

  start(): void {
    this.#shape = shapeOf(this.#zone());
    this.#writer.start();
    this.#drift.start();
  }

  async stop(): Promise<void> {
    this.#patience?.cancel();
    this.#drift.stop();
    this.#follow.stop();
    this.#abort.abort();
    await Promise.all([this.#writer.stop(), this.#loop.stop()]);
  }

  /** Every Service that there is was marked. */
  marked(): void {
    this.#isBeginning = false;
    this.#patience = this.#options.applier.clock.after(wholeMs, () => {
      this.#fuse.awaitNoLonger();
      this.#writer.wake();
    });
  }

  mark(key: ServiceKey, isUrgent = false): void {
    if (this.#isBeginning) this.#fuse.await(key);
    if (isUrgent) this.#loop.markFirst(key);
    else this.#loop.mark(key);
  }

  idle(): Promise<void> {
    return this.#loop.idle();
  }

  /** The DNSZone or its provider is another than before. */
  changed(): void {
    const zone = this.#zone();
    const shape = shapeOf(zone);
    if (shape !== this.#shape) {
      this.#shape = shape;
      for (const group of this.#state.groups.values()) {
        group.observed = undefined;
        group.recheckMs = 0;
        this.mark(group.key);
      }
    }
    // What a person or new credentials changed may be the way out; a status is not.
    const cause = { generation: zone?.generation, provider: this.#provider() };
    if (cause.generation !== this.#cause.generation || cause.provider !== this.#cause.provider) {
      this.#cause = cause;
      this.#state.blockedUntilMs = 0;
    }
    this.#fuse.touch();
    this.#writer.wake();
    this.#tell(undefined);
  }

  /** undefined: nothing of the Service is or shall be here. */
  describe(key: ServiceKey): AppliedState | undefined {
    const group = this.#state.groups.get(key);
    if (group === undefined) return undefined;
    const said = describeGroup(this.#state, this.#zone(), group);
    return { ...said, sinceMs: group.sinceMs };
  }

  summary(): AppliedZone {
    return summarise({
      state: this.#state,
      zone: this.#zone(),
      provider: this.#provider(),
      held: this.#fuse.held,
      heldSinceMs: this.#heldSinceMs,
      requestsPerSecond: this.#perSecond(),
    });
  }

  planned(limit: number): readonly PlannedChange[] {
    return listPlanned(this.#state, this.#zone(), limit);
  }

  #zone(): DnsZoneState | undefined {
    return this.#options.applier.zones.zone(this.#state.name);
  }

  #provider(): DnsProvider | undefined {
    return this.#options.applier.providers.provider(this.#state.name);
  }

  #perSecond(): number {
    const provider = this.#provider();
    return provider === undefined ? 1 : this.#options.budgets.of(provider).perSecond();
  }

  #tell(key: ServiceKey | undefined): void {
    const { metrics, clock } = this.#options.applier;
    if (key === undefined) {
      if (this.#fuse.held === undefined) this.#heldSinceMs = 0;
      else if (this.#heldSinceMs === 0) this.#heldSinceMs = clock.now();
    }
    metrics.gauge('mesh_dns_pending', this.#state.unsettled.size, { zone: this.#state.name });
    this.#options.tell(key);
  }
}

function isAtRest(group: Group): boolean {
  return isSettled(group) && group.owned > 0 && !group.isReading && !group.isInFlight;
}

function shapeOf(zone: DnsZoneState | undefined): string {
  const { domain, takeOverFrom, deletionPolicy } = zone?.spec ?? {};
  return JSON.stringify([zone?.isDeleting, domain, takeOverFrom, deletionPolicy]);
}
