// Decides which of an agent's replicas acts, over one coordination.k8s.io Lease. Pure: state, what
// was seen or answered and the monotonic time in; the next state or the next action out.
//
//   E1. Nobody's wall clock is believed: a candidate counts from when it saw the record change, the
//       holder from before it sent the renewal that was granted.
//   E2. A holder stops to write before anybody may take its place: what it sent last has ended too.
//   E3. Each write names the resourceVersion it replaces: of two that take at once, one is refused.
//   E4. A record that vanished, or came back empty under another uid, was not released by its
//       holder, who may not know yet: it is left alone for a whole lease.
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
  /** uid of the Lease seen last, also when it is gone; undefined before the first look. */
  readonly lastUid: string | undefined;
  /** Monotonic: from then on anybody may take it. */
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

export function holderText({ pod, life }: HolderName): string {
  return `${pod}${separator}${life}`;
}

export function startElection(self: HolderName, nowMs: number): ElectionState {
  return {
    self,
    lease: undefined,
    lastUid: undefined,
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
  // Absent twice may have been there between: only a record says that nothing happened since.
  if (isSame && lease !== undefined) return state;
  // Deleted under us it is made again, if nobody else can have held it since; another's name, or
  // none, ends our time.
  const isOurs =
    lease === undefined ? mayWrite(state, nowMs) : lease.holder === holderText(state.self);
  return {
    ...state,
    lease,
    lastUid: lease?.uid ?? state.lastUid ?? noUid,
    freeAtMs: toFreeAt(state, lease, nowMs),
    provenMs: isOurs ? state.provenMs : undefined,
  };
}

/** Looked, and there was none. */
const noUid = '';

function toFreeAt(
  { self, lastUid }: ElectionState,
  lease: LeaseView | undefined,
  nowMs: number,
): number {
  if (lease === undefined) return nowMs + leaseMs; // E4
  const isFormerSelf = lease.holder.startsWith(`${self.pod}${separator}`);
  if (isFormerSelf) return nowMs; // one container: that process has ended
  if (lease.holder !== '') return nowMs + Math.max(leaseMs, lease.durationMs);
  if (lastUid === undefined || lastUid === lease.uid) return nowMs; // free, or released
  return nowMs + leaseMs; // E4; also after it was gone: somebody may have held another meanwhile
}

/** A write of ours was granted; `begunMs` is from before it was sent (E1). */
export function grantLease(state: ElectionState, lease: LeaseView, begunMs: number): ElectionState {
  return { ...state, lease, lastUid: lease.uid, freeAtMs: Infinity, provenMs: begunMs };
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
  /** `transitions` counts the holders, this one included. */
  | { readonly kind: 'take'; readonly over: LeaseView | undefined; readonly transitions: number }
  | { readonly kind: 'renew'; readonly over: LeaseView; readonly transitions: number }
  | { readonly kind: 'wait'; readonly forMs: number };

/** `handicapMs`: for a replica that others should precede; it waits longer. */
export function planElection(
  state: ElectionState,
  nowMs: number,
  handicapMs: number,
): ElectionAction {
  const { self, lease, freeAtMs, provenMs } = state;
  const transitions = lease?.transitions ?? 0;
  // Ours though no answer told us so: an answer was lost.
  if (lease !== undefined && lease.holder === holderText(self)) {
    const dueMs = provenMs === undefined ? nowMs + handicapMs : provenMs + renewEveryMs;
    if (nowMs >= dueMs) return { kind: 'renew', over: lease, transitions };
    return { kind: 'wait', forMs: dueMs - nowMs };
  }
  if (mayWrite(state, nowMs)) return { kind: 'take', over: undefined, transitions }; // deleted
  const takeAtMs = freeAtMs + handicapMs;
  if (nowMs < takeAtMs) return { kind: 'wait', forMs: takeAtMs - nowMs };
  return { kind: 'take', over: lease, transitions: transitions + 1 };
}
