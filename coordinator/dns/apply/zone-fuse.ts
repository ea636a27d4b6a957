// The mass-change fuse of one zone: remembers what counted within the last minute, which changes
// are suspect now, and which a person has confirmed. plan-fuse.ts decides.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import type { RecordGroup } from '../provider/provider.ts';
import { fuseDefaults, fuseWindowMs, hashPlan, planFuse, type Suspicion } from './plan-fuse.ts';

export interface Suspect {
  readonly suspicion: Suspicion;
  readonly group: RecordGroup;
  /** Of what is recorded. */
  readonly revision: number;
}

export interface HeldPlan {
  readonly hash: string;
  readonly services: number;
  readonly recordSets: number;
  readonly recordSetsMax: number;
  readonly message: string;
}

export class ZoneFuse {
  readonly #suspects = new Map<ServiceKey, Suspect & { readonly hash: string }>();
  /** Hash of the one change of a Service that a person let go. */
  readonly #confirmed = new Map<ServiceKey, string>();
  #recent: { readonly atMs: number; readonly recordSets: number }[] = [];
  #held: HeldPlan | undefined;
  #version = 0;
  #decided = 0;
  #hashed: { readonly version: number; readonly hash: string } | undefined;

  get held(): HeldPlan | undefined {
    return this.#held;
  }

  /** Something is suspect that no decision was made about. */
  get isUndecided(): boolean {
    return this.#decided !== this.#version;
  }

  /** Services whose changes are suspect and not confirmed. */
  suspects(): Iterable<ServiceKey> {
    return this.#suspects.keys();
  }

  /** The DNSZone changed: its limits, or what it confirms. */
  touch(): void {
    this.#version += 1;
  }

  /** What a look at the Service found; undefined: nothing suspect. */
  note(key: ServiceKey, suspect: Suspect | undefined): void {
    if (suspect === undefined) {
      this.#confirmed.delete(key);
      if (this.#suspects.delete(key)) this.#version += 1;
      return;
    }
    const hash = hashPlan([suspect]);
    if (this.#suspects.get(key)?.hash === hash || this.#confirmed.get(key) === hash) return;
    this.#suspects.set(key, { ...suspect, hash });
    this.#version += 1;
  }

  /** These went. */
  spend(suspicion: Suspicion | undefined, key: ServiceKey, nowMs: number): void {
    const wasConfirmed = this.#confirmed.delete(key);
    if (this.#suspects.delete(key)) this.#version += 1;
    if (suspicion === undefined || wasConfirmed) return;
    this.#recent.push({ atMs: nowMs, recordSets: suspicion.recordSets });
  }

  /** Looks again whether anything is held. True: what is held has changed. */
  decide(spec: DnsZoneSpec, owned: number, nowMs: number): boolean {
    const before = this.#held;
    this.#held = this.#plan(spec, owned, nowMs);
    this.#decided = this.#version;
    return before?.hash !== this.#held?.hash;
  }

  isHeld(key: ServiceKey): boolean {
    return this.#held !== undefined && this.#suspects.has(key);
  }

  /** When it may look different by time alone; undefined: never. */
  againMs(nowMs: number): number | undefined {
    const [first] = this.#recent;
    if (this.#held === undefined || first === undefined) return undefined;
    return Math.max(0, first.atMs + fuseWindowMs - nowMs);
  }

  #plan(spec: DnsZoneSpec, owned: number, nowMs: number): HeldPlan | undefined {
    this.#recent = this.#recent.filter(({ atMs }) => atMs > nowMs - fuseWindowMs);
    if (this.#suspects.size === 0) return undefined;
    const limits = { ...fuseDefaults, ...spec.massChange };
    const recent = this.#recent.reduce((sum, { recordSets }) => sum + recordSets, 0);
    const due = [...this.#suspects.values()].map(({ suspicion }) => suspicion);
    const decided = planFuse({ limits, owned, recent, due });
    if (decided.kind === 'pass') return undefined;
    const hash = this.#hash();
    if (spec.confirmedPlan === hash) return this.#confirm();
    const { recordSets, recordSetsMax, why } = decided;
    const services = this.#suspects.size;
    const message = describeHold({ recordSets, recordSetsMax, why, services, recent });
    return { hash, services, recordSets, recordSetsMax, message };
  }

  #hash(): string {
    if (this.#hashed?.version !== this.#version) {
      this.#hashed = { version: this.#version, hash: hashPlan([...this.#suspects.values()]) };
    }
    return this.#hashed.hash;
  }

  /** Lets exactly these go; what is planned otherwise afterwards is suspect again. */
  #confirm(): undefined {
    for (const [key, { hash }] of this.#suspects) this.#confirmed.set(key, hash);
    this.#suspects.clear();
    this.#version += 1;
    return undefined;
  }
}

/** What a person at night needs: how much, beside what, why, and until when. */
function describeHold(hold: {
  readonly recordSets: number;
  readonly recordSetsMax: number;
  readonly why: string;
  readonly services: number;
  readonly recent: number;
}): string {
  const { recordSets, recordSetsMax, why, services, recent } = hold;
  const after = recent === 0 ? '' : `, after ${recent} within the last minute`;
  // Alone they are few enough: they go once those before them are a minute old.
  const until = recordSets > recordSetsMax ? '' : ', or until that minute is over';
  return (
    `${recordSets} record sets of ${services} ${services === 1 ? 'Service' : 'Services'} would go ` +
    `or change their type${after}. More than ${recordSetsMax} a minute are held where ${why}. ` +
    `They stay as they are until a person confirms the plan${until}.`
  );
}
