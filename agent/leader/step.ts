// Decides which of an agent's replicas acts, over one coordination.k8s.io Lease. Pure: state, what
// was seen or answered and the monotonic time in; the next state or the next action out.
//
//   E1. Nobody's wall clock is believed: a candidate counts from when it saw the record change, the
//       holder from before it sent the renewal that was granted.
//   E2. A holder stops to write before anybody may take its place: what it sent last has ended too.
//   E3. Each write names the resourceVersion it replaces: of two that take at once, one is refused.
//   E4. A Lease that is gone, or came back empty under another uid, was not released by its holder,
//       who may not know yet. Who held it since we looked cannot be known either: one that is absent
//       is made with nobody's name first, and a record is left alone for a whole lease. Only who
//       held the last one, and may still write, takes it at once: nobody else can have had it.
//   E5. A holder that cannot renew goes on speaking for the cluster, without writing to it, until it
//       hears of another one: when the API server is gone for all, somebody must say so.
// Next: lease.ts (the record), loop.ts.

import { invariant } from '../../common/pure/errors.ts';

/** A candidate takes a lease that was not renewed for this long. */
export const leaseMs = 20_000;
const renewEveryMs = 5_000;
/** Without a renewal for this long the holder writes nothing more. */
export const writesEndMs = 10_000;
/** The longest call of the client that changes the cluster (common/runtime/kube-http.ts). */
const callMs = 10_000;
invariant(renewEveryMs * 2 <= writesEndMs, 'one lost renewal must not stop the holder');
invariant(writesEndMs + callMs <= leaseMs, 'E2: a last call must have ended when another begins');

export interface LeaseView {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Empty when it was released, or never held. */
  readonly holder: string;
  /** 0 when it says none. */
  readonly durationMs: number;
  readonly transitions: number;
  /** host:port at which the holder shares its record. */
  readonly address: string | undefined;
  /** Newest view that a holder has applied, as of its last renewal; 0 for none. */
  readonly viewRevision: number;
  /** Shards that the holder removed in the minute before it gave it back; undefined: not told. */
  readonly removals: number | undefined;
}

export interface ElectionState {
  readonly self: HolderName;
  readonly lease: LeaseView | undefined;
  /** The Lease seen last, also when it is gone. */
  readonly last: LeaseView | undefined;
  /** Whether we were told of it, or that it is absent. */
  readonly hasLooked: boolean;
  /** Monotonic: from then on anybody may take it, or make it. */
  readonly freeAtMs: number;
  /** When the last renewal that was granted was begun; undefined while we are not the holder. */
  readonly provenMs: number | undefined;
}

/** A holder's name: the Pod, which is one process at a time, and the process. */
export interface HolderName {
  readonly pod: string;
  readonly life: string;
}

const separator = '_';

/** In a Lease that was made because it was absent. No holder's name: those have a separator. */
export const unknownHolder = 'unknown';

export function holderText({ pod, life }: HolderName): string {
  return `${pod}${separator}${life}`;
}

export function startElection(self: HolderName, nowMs: number): ElectionState {
  return {
    self,
    lease: undefined,
    last: undefined,
    hasLooked: false,
    freeAtMs: nowMs + leaseMs,
    provenMs: undefined,
  };
}

/** What a watch or a read brought; undefined when there is no such Lease. */
export function seeLease(
  state: ElectionState,
  lease: LeaseView | undefined,
  nowMs: number,
): ElectionState {
  const before = state.lease;
  const isSame = before?.uid === lease?.uid && before?.resourceVersion === lease?.resourceVersion;
  if (isSame && lease !== undefined) return state;
  const isOurs =
    lease?.holder === holderText(state.self) || (isVacant(state, lease) && mayWrite(state, nowMs));
  return {
    ...state,
    lease,
    last: lease ?? state.last,
    hasLooked: true,
    freeAtMs: toFreeAt(state, lease, nowMs),
    provenMs: isOurs ? state.provenMs : undefined,
  };
}

/** E4. The one that we held, emptied under us, is not: that ends our time, as another's name does. */
function isVacant({ lease: before, self }: ElectionState, lease: LeaseView | undefined): boolean {
  if (lease === undefined) return true;
  const isEmptied = before?.uid === lease.uid && before.holder === holderText(self);
  return !isEmptied && (lease.holder === '' || lease.holder === unknownHolder);
}

function toFreeAt(
  { self, last, hasLooked, freeAtMs }: ElectionState,
  lease: LeaseView | undefined,
  nowMs: number,
): number {
  if (lease === undefined) return nowMs; // to be made
  const isFormerSelf = lease.holder.startsWith(`${self.pod}${separator}`);
  if (isFormerSelf) return nowMs; // one container: that process has ended
  if (lease.holder !== '') return nowMs + Math.max(leaseMs, lease.durationMs);
  if (!hasLooked) return nowMs; // a new installation's
  if (last?.uid !== lease.uid) return nowMs + leaseMs; // E4
  return last.holder === '' ? freeAtMs : nowMs; // changed otherwise, or released
}

/** A write of ours was granted; `begunMs` is from before it was sent (E1). */
export function grantLease(state: ElectionState, lease: LeaseView, begunMs: number): ElectionState {
  return { ...state, lease, last: lease, freeAtMs: Infinity, provenMs: begunMs };
}

/** Somebody else of our cluster speaks to the coordinator: believed when we cannot prove us. */
export function yieldIfUnproven(state: ElectionState, nowMs: number): ElectionState {
  if (state.provenMs === undefined || mayWrite(state, nowMs)) return state;
  return { ...state, provenMs: undefined };
}

export function isHolder(state: ElectionState): boolean {
  return state.provenMs !== undefined;
}

/** E2. */
export function mayWrite({ provenMs }: ElectionState, nowMs: number): boolean {
  return provenMs !== undefined && nowMs - provenMs < writesEndMs;
}

export type ElectionAction =
  /** With nobody's name. `over`: the last one that was there, whose count is kept. */
  | { readonly kind: 'make'; readonly over: LeaseView | undefined; readonly transitions: number }
  /** `transitions` counts the holders, this one included. */
  | { readonly kind: 'take'; readonly over: LeaseView; readonly transitions: number }
  | { readonly kind: 'renew'; readonly over: LeaseView; readonly transitions: number }
  | { readonly kind: 'wait'; readonly forMs: number };

/** `handicapMs`: for a replica that others should precede; it waits longer. */
export function planElection(
  state: ElectionState,
  nowMs: number,
  handicapMs: number,
): ElectionAction {
  const { self, lease, last, freeAtMs, provenMs } = state;
  if (lease === undefined) {
    if (nowMs < freeAtMs) return { kind: 'wait', forMs: freeAtMs - nowMs };
    // Somebody has held it, for all we know.
    return { kind: 'make', over: last, transitions: Math.max(1, last?.transitions ?? 0) };
  }
  const { transitions } = lease;
  // Ours though no answer told us so: an answer was lost.
  if (lease.holder === holderText(self)) {
    const dueMs = provenMs === undefined ? nowMs + handicapMs : provenMs + renewEveryMs;
    if (nowMs >= dueMs) return { kind: 'renew', over: lease, transitions };
    return { kind: 'wait', forMs: dueMs - nowMs };
  }
  if (mayWrite(state, nowMs)) return { kind: 'take', over: lease, transitions }; // E4: ours before
  const takeAtMs = freeAtMs + handicapMs;
  if (nowMs < takeAtMs) return { kind: 'wait', forMs: takeAtMs - nowMs };
  return { kind: 'take', over: lease, transitions: transitions + 1 };
}
