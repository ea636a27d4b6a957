// Looks at Services of one zone as they are marked, and keeps what was found: what is to be written
// and how urgent it is, what stands in its way, and what others are told of it.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneState } from '../../../common/model/views.ts';
import { toPublicationKey } from '../../../common/pure/publication-object.ts';
import type { DnsProvider, ZoneRecordSet } from '../provider/provider.ts';
import type { Journal } from './journal.ts';
import type { DnsApplierOptions } from './options.ts';
import type { ZoneEvents } from './zone-events.ts';
import type { ZoneFuse } from './zone-fuse.ts';
import { look, namesToRead, readFacts, type Facts, type Look } from './zone-look.ts';
import type { Group, Planned, ZoneState } from './zone-state.ts';
import { describeGroup } from './zone-view.ts';

export interface VisitsOptions {
  readonly applier: DnsApplierOptions;
  readonly journal: Journal;
  readonly state: ZoneState;
  readonly fuse: ZoneFuse;
  readonly events: ZoneEvents;
  readonly zone: () => DnsZoneState | undefined;
  readonly provider: () => DnsProvider | undefined;
  readonly mark: (key: ServiceKey) => void;
  /** Reads the Service's names; read() is called with them. */
  readonly reread: (key: ServiceKey) => void;
  /** There may be something to write. */
  readonly wake: () => void;
  readonly tell: (key: ServiceKey) => void;
}

const recheckMs = 60_000;

export class ZoneVisits {
  readonly #options: VisitsOptions;

  constructor(options: VisitsOptions) {
    this.#options = options;
  }

  async visit(key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> {
    const { clock } = this.#options.applier;
    const { journal } = this.#options;
    const group = this.#options.state.group(key, clock.now());
    if (group.isInFlight || group.isReading) return undefined; // marked again when that ends
    const facts = this.#facts(group);
    if (facts === undefined) return undefined;
    if (isOutdated(group, facts)) {
      group.obstacle = undefined; // until it was read
      group.isReading = true;
      this.#options.reread(key);
      return undefined;
    }
    const found = this.#look(group, facts);
    if (found.kind === 'settled' && !found.isRecorded) {
      await journal.record(key, this.#options.state.name, found.after);
      this.#options.state.own(group, found.after.length);
    }
    this.#settle(group, found);
    this.#options.wake(); // also to take the fence, with nothing to write
    return this.#again(group);
  }

  /** What is to be sent now; asked by the writer right before it sends. */
  plan(key: ServiceKey): Planned | undefined {
    const { state, mark } = this.#options;
    const group = state.groups.get(key);
    if (group === undefined || group.isInFlight || group.isReading) {
      state.queue.remove(key);
      return undefined;
    }
    // Every change of the log is looked at as it comes, so mostly nothing is new.
    if (!this.#isPlanned(group)) {
      const facts = this.#facts(group);
      const found = facts === undefined ? undefined : this.#look(group, facts);
      if (found?.kind === 'settled' && !found.isRecorded) mark(key);
    }
    return state.queue.holds(key) ? group.planned : undefined;
  }

  namesOf(key: ServiceKey): readonly string[] {
    const group = this.#options.state.groups.get(key);
    const facts = group === undefined ? undefined : this.#facts(group);
    return facts === undefined ? [] : namesToRead(facts);
  }

  read(key: ServiceKey, observed: readonly ZoneRecordSet[]): void {
    const group = this.#options.state.groups.get(key);
    if (group === undefined) return;
    group.isReading = false;
    group.observed = observed;
    this.#options.mark(key);
  }

  /** A comparison: only what differs is looked at. */
  compared(group: Group, observed: readonly ZoneRecordSet[]): void {
    const { applier, journal } = this.#options;
    const facts = this.#facts(group);
    if (facts === undefined) return;
    const found = look({ ...applier, journal }, { ...facts, input: { ...facts.input, observed } });
    const isSame = found.kind === 'settled' && found.isRecorded && found.obstacle === undefined;
    applier.metrics.count('mesh_dns_comparisons_total', {
      zone: this.#options.state.name,
      outcome: isSame ? 'same' : 'different',
    });
    if (isSame) return;
    applier.log.warn('names were changed by another writer', {
      zone: this.#options.state.name,
      service: group.key,
    });
    group.observed = observed;
    this.#options.mark(group.key);
  }

  /** From all that there is now. */
  #isPlanned({ key, planned, publication, observed }: Group): boolean {
    const { applier, journal, state } = this.#options;
    if (planned === undefined || planned.zone !== this.#options.zone()) return false;
    const stored = applier.desired.get(toPublicationKey(key, state.name));
    return (
      planned.observed === observed &&
      publication === (stored?.revision ?? 0) &&
      planned.revision === journal.recorded(key, state.name).revision
    );
  }

  #facts(group: Group): Facts | undefined {
    const zone = this.#options.zone();
    if (zone === undefined) return undefined;
    const { applier, journal } = this.#options;
    return readFacts({ ...applier, journal }, zone, this.#options.provider(), group);
  }

  /** Looks, and keeps what was found. */
  #look(group: Group, facts: Facts): Look {
    const { applier, journal } = this.#options;
    if (facts.publicationRevision !== group.publication) {
      group.publication = facts.publicationRevision;
      group.refusal = undefined;
      group.failures = 0;
      group.notBeforeMs = 0;
    }
    this.#options.state.own(group, facts.input.recorded.length);
    const found = look({ ...applier, journal }, facts);
    this.#note(group, found);
    this.#options.state.track(group);
    return found;
  }

  #note(group: Group, found: Look): void {
    const { clock, log, metrics } = this.#options.applier;
    const { queue, name } = this.#options.state;
    if (found.kind !== 'change') {
      queue.remove(group.key);
      this.#options.fuse.note(group.key, undefined);
      group.planned = undefined;
      group.isHeld = false;
    }
    switch (found.kind) {
      case 'settled':
        group.obstacle = found.obstacle;
        group.refusal = undefined;
        group.dueMs = undefined;
        if (found.obstacle === undefined) group.observed = undefined;
        return;
      case 'doubted': {
        const message = found.findings.map((it) => `${it.invariant}: ${it.message}`).join('; ');
        if (group.refusal?.message === message) return;
        group.refusal = { reason: 'AuditFailed', message };
        metrics.count('mesh_dns_audit_findings_total', {}, found.findings.length);
        log.error('change of names refused by its audit', {
          zone: name,
          service: group.key,
          findings: message,
        });
        this.#options.events.refused(group.key, `The names were left as they were: ${message}`);
        return;
      }
      default:
        group.planned = found.planned;
        group.obstacle = found.obstacle;
        group.dueMs ??= clock.monotonicMs();
        this.#enqueue(group, found.planned);
    }
  }

  #enqueue(group: Group, planned: Planned): void {
    const { suspicion, revision, priority } = planned;
    const nowMs = this.#options.applier.clock.monotonicMs();
    const { queue } = this.#options.state;
    const suspect =
      suspicion === undefined ? undefined : { suspicion, revision, group: planned.group };
    this.#options.fuse.note(group.key, suspect);
    group.isHeld = this.#options.fuse.isHeld(group.key);
    const hasFence = this.#options.provider()?.capabilities.hasCompareAndSet;
    if (hasFence === false && group.observed === undefined) {
      group.isReading = true;
      this.#options.reread(group.key);
    }
    if (group.isHeld || group.isReading || nowMs < group.notBeforeMs) queue.remove(group.key);
    else queue.put(group.key, priority, nowMs);
    this.#options.wake();
  }

  #settle(group: Group, found: Look): void {
    const { obstacle } = group;
    if (obstacle !== undefined) this.#options.events.obstacle(group.key, obstacle);
    else if (group.refusal === undefined) this.#options.events.clear(group.key);
    const isGone = found.kind === 'settled' && found.isGone && group.batch === undefined;
    if (isGone) {
      this.#options.state.forget(group);
      this.#options.wake();
    }
    const { state } = describeGroup(this.#options.state, this.#options.zone(), group);
    if (!isGone && group.told === state) return;
    group.told = state;
    group.sinceMs = this.#options.applier.clock.now();
    this.#options.tell(group.key);
  }

  #again(group: Group): { readonly againAfterMs: number } | undefined {
    const nowMs = this.#options.applier.clock.monotonicMs();
    if (group.obstacle !== undefined && !group.isReading) {
      if (group.recheckMs > nowMs) return { againAfterMs: group.recheckMs - nowMs };
      const isFirst = group.recheckMs === 0;
      group.recheckMs = nowMs + recheckMs;
      if (isFirst) return { againAfterMs: recheckMs };
      group.isReading = true;
      this.#options.reread(group.key);
      return undefined;
    }
    group.recheckMs = 0;
    if (group.planned === undefined || nowMs >= group.notBeforeMs) return undefined;
    return { againAfterMs: group.notBeforeMs - nowMs };
  }
}

/**
 * What stood in the way was read a while ago, and now the names shall go: whose they are today
 * decides whether they are deleted or forgotten.
 */
function isOutdated(group: Group, { publicationRevision, input }: Facts): boolean {
  const isNew = publicationRevision !== group.publication;
  return isNew && group.obstacle !== undefined && input.wanted.length === 0;
}
