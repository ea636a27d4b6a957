// Tells the coordinator which Services are here that are nobody's shards, so that it can warn
// before one is adopted. By hashes, whole when the coordinator knows something else, then changes.
//
//   T1. What the local guard keeps from the federation is not told of either.
//   T2. Changes of a second are one message; a coordinator that does not ask is told nothing.

import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { ForeignChange } from '../../common/model/foreign.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { foreignHash, ForeignSet } from '../../common/pure/foreign-services.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Informer } from '../../common/runtime/informer.ts';
import { refusalOf, type LocalGuard } from './plan-guard.ts';

export interface ForeignPorts {
  readonly services: Informer<Service>;
  /** What the coordinator said that it knows, for as long as its session lasts. */
  readonly session: {
    isOpen(): boolean;
    welcome(): { readonly session: number; readonly foreignDigest?: string } | undefined;
    onWelcome(listener: () => void): () => void;
    tellForeign(change: ForeignChange): void;
  };
  readonly clock: Clock;
}

const gatherMs = 1_000;

export function startForeignTeller(
  { services, session, clock }: ForeignPorts,
  guard: LocalGuard,
): { stop(): void } {
  const here = new ForeignSet();
  const added = new Set<number>();
  const removed = new Set<number>();
  let timer: Timer | undefined;
  /** Session that has been told all. */
  let toldSession: number | undefined;

  const isForeign = (key: ServiceKey, service: Service | undefined): boolean =>
    service !== undefined &&
    federationOf(service) === undefined &&
    refusalOf(key, undefined, guard) === undefined; // T1

  const greet = (): void => {
    const welcome = session.welcome();
    if (!session.isOpen() || !services.hasSynced() || welcome === undefined) return;
    if (welcome.foreignDigest === undefined || toldSession === welcome.session) return;
    toldSession = welcome.session;
    added.clear();
    removed.clear();
    if (welcome.foreignDigest !== here.digest())
      session.tellForeign({ added: [...here.values()], removed: [], isFull: true });
  };

  const flush = (): void => {
    timer = undefined;
    const welcome = session.welcome();
    const isTold = session.isOpen() && toldSession === welcome?.session; // else all is told anyway
    if (isTold && added.size + removed.size > 0)
      session.tellForeign({ added: [...added], removed: [...removed], isFull: false });
    added.clear();
    removed.clear();
  };

  const note = (key: ServiceKey, before: boolean, now: boolean): void => {
    if (before === now) return;
    const hash = foreignHash(key);
    here.apply({ added: now ? [hash] : [], removed: now ? [] : [hash], isFull: false });
    const [to, from] = now ? [added, removed] : [removed, added];
    if (!from.delete(hash)) to.add(hash);
    timer ??= clock.after(gatherMs, flush);
  };

  for (const service of services.values()) {
    const { namespace = '', name } = service.metadata;
    const key = toServiceKey({ namespace, name });
    note(key, false, isForeign(key, service));
  }
  const unsubscribes = [
    services.subscribe({
      onChange: ({ key, object, previous }) => {
        const serviceKey = key as ServiceKey; // the cache is keyed by namespace/name
        note(serviceKey, isForeign(serviceKey, previous), isForeign(serviceKey, object));
      },
      onSynced: greet,
    }),
    session.onWelcome(greet),
  ];
  greet();
  return {
    stop: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      timer?.cancel();
    },
  };
}
