// What the applier needs from outside: the assignment (from the session), and whether the API
// server can be trusted at the moment (from its active check).

import type { ServiceKey } from '../../common/model/ids.ts';
import type { AgentEvent } from '../../common/model/telemetry.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { Recovered } from './plan-recovery.ts';

/** What was removed here lately, for the next life: its guard goes on counting. */
export interface RemovalNote {
  /** Within a minute. */
  readonly count: number;
  /** By the wall clock, which no life believes to the minute. */
  readonly atMs: number;
}

export interface Assignment {
  shard(key: ServiceKey): Shard | undefined;
  order(key: ServiceKey): RemovalOrder | undefined;
  /** Every key with a shard or an order. */
  keys(): Iterable<ServiceKey>;
  /** Takes up what the shards themselves say was held, if nothing newer was ever known here. */
  recover(found: Recovered): Promise<void>;
  /** undefined: nobody knows what was removed here lately. */
  removals(): RemovalNote | undefined;
  /** Durable when it resolves. */
  noteRemovals(note: RemovalNote): Promise<void>;
  /** A wake-up per key of each batch, also when nothing changed: each is answered by a result. */
  subscribe(listener: (key: ServiceKey) => void): () => void;
}

export interface ApiGate {
  /** False while the API server does not answer: then no change is attempted. */
  isFresh(): boolean;
  subscribe(listener: (isFresh: boolean) => void): () => void;
}

/** For people at the federation; must not throw. */
export type RecordEvent = (event: Pick<AgentEvent, 'key' | 'type' | 'reason' | 'message'>) => void;
