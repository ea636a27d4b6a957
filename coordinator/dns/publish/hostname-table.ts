// Looks up load balancers that are names, for zones that publish their addresses (hostname mode
// Flatten), as long as a publication wants them.
// Input: names, by publication. Output: addresses, and which Services are due when they change.
//
//   H1. Each name is looked up once for all who want it, as often as its answer may be kept, between
//       every 5 and every 30 seconds; some names at a time.
//   H2. Of a name whose look-ups have found nothing yet, nothing is said for ten minutes: what was
//       published stands meanwhile, so that a restart takes no address back.

import type { LogKey, ServiceKey } from '../../../common/model/ids.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createLoop } from '../../../common/runtime/loop.ts';
import { hostnameKeptMs, stepHostname, type HostnameState, type Lookup } from './step-hostname.ts';

/** Asks resolvers for A and AAAA, with a deadline. */
export type LookUpHostname = (name: string) => Promise<Lookup>;

export interface HostnameTable {
  /** What is known of these names; from now on the Service is told of when it changes. */
  resolve(publication: LogKey, key: ServiceKey, names: readonly string[]): Resolved;
  /** The publication wants none any more. */
  forget(publication: LogKey): void;
  stop(): Promise<void>;
}

export interface Resolved {
  /** Empty: it has none, or was not found for long. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** Names whose first look-up is under way. */
  readonly asked: readonly string[];
}

interface Entry {
  state: HostnameState | undefined;
  /** Monotonic. */
  readonly sinceMs: number;
  /** What those who want it were told of last. */
  said: string | undefined;
  isFailing: boolean;
  readonly wantedBy: Map<LogKey, ServiceKey>;
}

const againMinMs = 5_000;
const againMaxMs = 30_000;
const lookupsAtOnce = 16;

export function createHostnameTable(options: {
  /** Absent: no resolver is there, and nothing is known. */
  readonly lookUp: LookUpHostname | undefined;
  readonly onChange: (key: ServiceKey) => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): HostnameTable {
  const { lookUp, onChange, clock, chance, log } = options;
  const entries = new Map<string, Entry>();
  const wishes = new Map<LogKey, readonly string[]>();

  const run = async (name: string): Promise<{ readonly againAfterMs: number } | undefined> => {
    const entry = entries.get(name);
    if (entry === undefined || lookUp === undefined) return undefined;
    const lookup = await lookUp(name);
    if (entries.get(name) !== entry) return undefined;
    const nowMs = clock.monotonicMs();
    const state = stepHostname(entry.state, lookup, nowMs);
    entry.state = state;
    const isFailing = lookup.kind === 'nothing';
    if (isFailing && !entry.isFailing) {
      log.warn('a load balancer’s name has no address', { name, reason: lookup.message });
    }
    entry.isFailing = isFailing;
    const said = isKnown(state, nowMs - entry.sinceMs) ? state.addresses.join() : 'nothing yet';
    if (said !== entry.said) for (const key of new Set(entry.wantedBy.values())) onChange(key);
    entry.said = said;
    const ttlMs = lookup.kind === 'found' ? lookup.ttlSeconds * 1000 : 0;
    const againMs = Math.min(againMaxMs, Math.max(againMinMs, ttlMs));
    return { againAfterMs: Math.round(againMs * (0.9 + chance.fraction() / 5)) };
  };
  const loop = createLoop<string>({
    name: 'dns-hostnames',
    run,
    clock,
    chance,
    log,
    concurrency: lookupsAtOnce,
  });

  const drop = (publication: LogKey, names: readonly string[]): void => {
    for (const name of names) {
      const entry = entries.get(name);
      entry?.wantedBy.delete(publication);
      if (entry?.wantedBy.size === 0) entries.delete(name);
    }
  };

  return {
    resolve: (publication, key, names) => {
      const former = wishes.get(publication) ?? [];
      drop(
        publication,
        former.filter((name) => !names.includes(name)),
      );
      if (names.length === 0) wishes.delete(publication);
      else wishes.set(publication, names);
      const addresses = new Map<string, readonly string[]>();
      const asked: string[] = [];
      if (lookUp === undefined) return { addresses, asked };
      for (const name of names) {
        const nowMs = clock.monotonicMs();
        const entry = entries.get(name) ?? toEntry(nowMs);
        if (!entries.has(name)) {
          entries.set(name, entry);
          loop.mark(name);
        }
        entry.wantedBy.set(publication, key);
        const { state, sinceMs } = entry;
        if (state === undefined) asked.push(name);
        else if (isKnown(state, nowMs - sinceMs)) addresses.set(name, state.addresses);
      }
      return { addresses, asked };
    },
    forget: (publication) => {
      drop(publication, wishes.get(publication) ?? []);
      wishes.delete(publication);
    },
    stop: () => loop.stop(),
  };
}

function toEntry(sinceMs: number): Entry {
  return { state: undefined, sinceMs, said: undefined, isFailing: false, wantedBy: new Map() };
}

/** H2. */
function isKnown({ addresses, foundMs }: HostnameState, askedForMs: number): boolean {
  return addresses.length > 0 || foundMs !== -Infinity || askedForMs >= hostnameKeptMs;
}
