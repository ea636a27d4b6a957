// Looks now and then whether the world is led to the servers of each DNSZone: the registrar or the
// zone above has to say so, and no provider tells when it does not. Input: DNSZones. Output: for each
// what its condition Delegated shall say.
//
//   K1. One look at a time, of few questions, seldom: each zone every ten minutes, every minute while
//       it is not as it should be, and at once when its servers change.
//   K2. A private zone, and one whose servers nobody names, is not looked at.
//   K3. One silence after a finding changes nothing: the second in a row does.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import { toLogKey, toLogPrefix } from '../../../common/model/ids.ts';
import { isthmusGroup } from '../../../common/model/isthmus-kinds.ts';
import { judgeDelegation, type DelegationVerdict } from '../../../common/pure/delegation.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import type { HostPort } from '../../../common/pure/host-port.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { AskDns } from '../../../common/runtime/dns-client.ts';
import { lookAtDelegation } from '../../../common/runtime/dns-delegation.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createLoop } from '../../../common/runtime/loop.ts';
import { follow, type Desired } from '../../desired/store.ts';

/** Who is asked: a recursive resolver, and servers on the port of DNS. */
export interface DnsLookout {
  readonly ask: AskDns;
  readonly resolver: HostPort;
  readonly serverPort?: number;
}

export interface DelegationChecks {
  /** undefined: not looked at (yet). */
  verdict(dnsZone: string): DelegationVerdict | undefined;
  start(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const wellEveryMs = 600_000;
const wrongEveryMs = 60_000;
const silencesMax = 2;

interface Seen {
  readonly wanted: readonly string[];
  readonly verdict: DelegationVerdict;
  readonly silences: number;
}

export function createDelegationChecks(options: {
  readonly desired: Desired;
  readonly lookout: DnsLookout;
  /** The verdict on this DNSZone is another one. */
  readonly onVerdict: (dnsZone: string) => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): DelegationChecks {
  const { desired, lookout, onVerdict, clock, chance, log } = options;
  const seen = new Map<string, Seen>();
  let cancel: (() => void) | undefined;

  const run = async (name: string): Promise<{ readonly againAfterMs: number } | undefined> => {
    const zone = desired.get(toZoneKey(name))?.object as DnsZone | undefined; // by its key
    const wanted = zone === undefined ? undefined : wantedOf(zone);
    if (zone === undefined || wanted === undefined) {
      if (seen.delete(name)) onVerdict(name);
      return undefined;
    }
    const { domain } = zone.spec;
    const verdict = judgeDelegation(await lookAtDelegation({ ...lookout, domain, wanted }));
    const before = seen.get(name);
    const isSilent = verdict.status === 'Unknown';
    const silences = isSilent ? (before?.silences ?? 0) + 1 : 0;
    const keepsBefore = // K3
      isSilent &&
      before !== undefined &&
      silences < silencesMax &&
      isSameJson(before.wanted, wanted);
    const shown = keepsBefore ? before.verdict : verdict;
    seen.set(name, { wanted, verdict: shown, silences });
    if (!isSameJson(shown, before?.verdict)) {
      log.info('delegation looked at', { dnsZone: name, reason: shown.reason });
      onVerdict(name);
    }
    const everyMs = verdict.status === 'True' ? wellEveryMs : wrongEveryMs;
    return { againAfterMs: everyMs * (0.9 + 0.2 * chance.fraction()) };
  };

  const loop = createLoop<string>({
    name: 'dns-delegation',
    run,
    clock,
    chance,
    log,
    concurrency: 1,
  });
  return {
    verdict: (dnsZone) => seen.get(dnsZone)?.verdict,
    start: () => {
      if (cancel !== undefined) return;
      const all = follow(desired, zonesPrefix, ({ current }) => {
        const zone = current.object as DnsZone; // by its prefix
        const { name } = zone.metadata;
        // The status changes each second: only what a look depends on is a reason for one.
        if (!isSameJson(wantedOf(zone), seen.get(name)?.wanted)) loop.mark(name);
      });
      cancel = () => all.cancel();
    },
    idle: () => loop.idle(),
    stop: async () => {
      cancel?.();
      cancel = undefined;
      await loop.stop();
    },
  };
}

const zonesPrefix = toLogPrefix(isthmusGroup, 'dnszones');

function toZoneKey(name: string) {
  return toLogKey({ group: isthmusGroup, resource: 'dnszones', name });
}

/** K2. */
function wantedOf({ metadata, spec, status }: DnsZone): readonly string[] | undefined {
  if (metadata.deletionTimestamp !== undefined || spec.visibility === 'Private') return undefined;
  const names = status?.nameServers ?? [];
  if (names.length === 0) return undefined;
  return names.map((name) => name.toLowerCase().replace(/\.$/, '')).sort();
}
