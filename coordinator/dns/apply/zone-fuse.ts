// The mass-change fuse of one zone: remembers what counted within the last minute, which changes
// are suspect now, and which a person has confirmed. plan-fuse.ts decides.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import type { RecordGroup } from '../provider/provider.ts';
import {
  fuseDefaults,
  fuseWindowMs,
  hashPlan,
  isUnexplained,
  planFuse,
  type Suspicion,
} from './plan-fuse.ts';

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
  /** Of what is held (U5). */
  #holdsDeaths = false;
  /** Not looked at yet since we began: what is suspect of them is not known. */
  readonly #awaited = new Set<ServiceKey>();
  #version = 0;
  #decided = 0;
  #hashed:
    | { readonly version: number; readonly holdsDeaths: boolean; readonly hash: string }
    | undefined;

  get held(): HeldPlan | undefined {
    return this.#held;
  }

  /** Something is suspect that no decision was made about. */
  get isUndecided(): boolean {
    return this.#decided !== this.#version;
  }

  /** Everything was looked at once, so that a plan which is held is held as a whole again. */
  get isWhole(): boolean {
    return this.#awaited.size === 0;
  }

  /** A Service that will be looked at, as all are when a holder of the lease begins. */
  await(key: ServiceKey): void {
    this.#awaited.add(key);
  }

  /** Whoever could not be looked at yet is done without. */
  awaitNoLonger(): void {
    this.#awaited.clear();
  }

  /** Services whose changes are held. */
  *heldServices(): Generator<ServiceKey> {
    for (const key of this.#suspects.keys()) if (this.isHeld(key)) yield key;
  }

  /** The DNSZone changed: its limits, or what it confirms. */
  touch(): void {
    this.#version += 1;
  }

  /** What a look at the Service found; undefined: nothing suspect. */
  note(key: ServiceKey, suspect: Suspect | undefined): void {
    this.#awaited.delete(key);
    if (suspect === undefined) {
      this.#confirmed.delete(key);
      if (this.#suspects.delete(key)) this.#version += 1;
      return;
    }
    const hash = hashPlan([suspect]);
    if (this.#confirmed.get(key) === hash) return;
    // The same change, of which another cluster may have died or come back meanwhile.
    const known = this.#suspects.get(key);
    if (known?.hash === hash && isSameJson(known.suspicion, suspect.suspicion)) return;
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
    const suspect = this.#suspects.get(key);
    return suspect !== undefined && this.#held !== undefined && isIn(this.#holdsDeaths, suspect);
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
    const { recordSets, recordSetsMax, why, holdsDeaths } = decided;
    const held = [...this.#suspects].filter(([, suspect]) => isIn(holdsDeaths, suspect));
    const hash = this.#hash(holdsDeaths);
    if (spec.confirmedPlan === hash) return this.#confirm(held);
    this.#holdsDeaths = holdsDeaths;
    const services = held.length;
    const message = describeHold({ recordSets, recordSetsMax, why, services, recent });
    return { hash, services, recordSets, recordSetsMax, message };
  }

  #hash(holdsDeaths: boolean): string {
    const known = this.#hashed;
    if (known?.version === this.#version && known.holdsDeaths === holdsDeaths) return known.hash;
    const held = [...this.#suspects.values()].filter((suspect) => isIn(holdsDeaths, suspect));
    this.#hashed = { version: this.#version, holdsDeaths, hash: hashPlan(held) };
    return this.#hashed.hash;
  }

  /** Lets exactly these go; what is planned otherwise afterwards is suspect again. */
  #confirm(held: readonly (readonly [ServiceKey, { readonly hash: string }])[]): undefined {
    for (const [key, { hash }] of held) {
      this.#confirmed.set(key, hash);
      this.#suspects.delete(key);
    }
    this.#version += 1;
    return undefined;
  }
}

function isIn(holdsDeaths: boolean, { suspicion }: Pick<Suspect, 'suspicion'>): boolean {
  return holdsDeaths || isUnexplained(suspicion);
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
