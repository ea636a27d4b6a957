// Opens the provider of each DNSZone, opens it again when its settings or its Secret change, and
// asks it whether the zone is there and ours to write.
// Input: marks of zones, their settings, Secrets. Output: open providers, and what is found.
//
//   K1. One zone that hangs or is denied delays no other (I10): a run per zone, a deadline per call.
//   K2. Credentials leave the log for the adapter and nothing else (I9).
//   K3. What reads may be well while what writes is denied: each is remembered by itself.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import { toLogKey } from '../../../common/model/ids.ts';
import { describeError } from '../../../common/runtime/log.ts';
import { createLoop } from '../../../common/runtime/loop.ts';
import type { DnsProvider, ZoneDescription } from '../provider/provider.ts';
import { countCalls, type CallOutcome, type CountedProvider } from './counted-provider.ts';
import type { DnsZonesOptions } from './options.ts';
import { findMismatch, type Refusal } from './plan-conflicts.ts';
import { planOpening, type Opening, type ProviderOpening } from './plan-opening.ts';

export interface Answer {
  readonly outcome: CallOutcome;
  readonly message: string;
}

/** What is known of one zone's provider. */
export interface ZoneFound {
  readonly opening: Exclude<Opening, { readonly kind: 'open' }> | { readonly kind: 'open' };
  /** How the last call ended that said something of the zone; undefined: none was made yet. */
  readonly answer: Answer | undefined;
  readonly description: ZoneDescription | undefined;
}

export interface ProviderKeeper {
  mark(dnsZone: string): void;
  provider(dnsZone: string): DnsProvider | undefined;
  found(dnsZone: string): ZoneFound | undefined;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface KeeperOptions {
  readonly zoneOf: (dnsZone: string) => DnsZone | undefined;
  readonly conflictOf: (dnsZone: string) => Refusal | undefined;
  /** found(dnsZone) is different. */
  readonly onFound: (dnsZone: string) => void;
  /** provider(dnsZone) is another one, or none. */
  readonly onProvider: (dnsZone: string) => void;
}

interface Entry {
  opening: ZoneFound['opening'];
  open: { readonly id: string; readonly counted: CountedProvider } | undefined;
  reading: Answer | undefined;
  writing: Answer | undefined;
  description: ZoneDescription | undefined;
  describeAtMs: number;
  failures: number;
  /** Id of an opening whose zone cannot hold our names. */
  useless: string | undefined;
}

/** A zone's quota and servers change seldom; that we may write there shows at each write. */
const describeEveryMs = 3_600_000;
/** After a call that failed: soon, then as rarely as a person looks. */
const describeAgainMinMs = 2_000;
const describeAgainMaxMs = 120_000;
const callTimeoutMs = 10_000;
const zonesAtOnce = 16;

export function createProviderKeeper(
  options: DnsZonesOptions,
  { zoneOf, conflictOf, onFound, onProvider }: KeeperOptions,
): ProviderKeeper {
  const { desired, clock, chance, log } = options;
  const entries = new Map<string, Entry>();

  const run = async (name: string): Promise<{ readonly againAfterMs: number } | undefined> => {
    const zone = zoneOf(name);
    if (zone === undefined) {
      close(name, entries.get(name));
      entries.delete(name);
      return undefined;
    }
    const entry = entries.get(name) ?? newEntry();
    entries.set(name, entry);
    const conflict = conflictOf(name);
    const opening: Opening =
      conflict === undefined ? openingOf(zone) : { kind: 'refused', ...conflict };
    if (opening.kind !== 'open') {
      close(name, entry);
      settle(name, entry, opening);
      return undefined;
    }
    if (entry.useless === opening.id) return undefined; // until its settings or Secret change
    if (entry.open?.id !== opening.id && !(await open(name, entry, opening))) {
      return { againAfterMs: againMs(entry) };
    }
    const waitMs = entry.describeAtMs - clock.monotonicMs();
    return { againAfterMs: waitMs > 0 ? waitMs : await describe(zone, entry) };
  };

  const openingOf = ({ spec }: DnsZone): Opening => {
    const { secretRef } = spec;
    if (secretRef === undefined) return planOpening(spec, undefined);
    const at = toLogKey({ group: '', resource: 'secrets', ...secretRef });
    return planOpening(spec, desired.get(at)?.object);
  };

  /** False: it could not be made; what was open before is closed all the same. */
  const open = async (
    name: string,
    entry: Entry,
    opening: { readonly with: ProviderOpening; readonly id: string },
  ): Promise<boolean> => {
    close(name, entry);
    try {
      const inner = await options.openProvider(opening.with);
      const counted = countCalls(inner, {
        dnsZone: name,
        onOutcome: (call, answer) => note(name, entry, call, answer),
        log,
      });
      entry.open = { id: opening.id, counted };
      entry.failures = 0;
      entry.describeAtMs = 0;
      settle(name, entry, { kind: 'open' });
      log.info('DNS provider opened', { dnsZone: name, provider: opening.with.kind });
      onProvider(name);
      return true;
    } catch (error) {
      entry.failures += 1;
      const message = `The provider cannot be used with these settings: ${messageOf(error)}`;
      log.warn('DNS provider not opened', { dnsZone: name, error: describeError(error) });
      settle(name, entry, { kind: 'refused', reason: 'CannotOpen', message });
      return false;
    }
  };

  const close = (name: string, entry: Entry | undefined): void => {
    const former = entry?.open;
    if (entry === undefined || former === undefined) return;
    entry.open = undefined;
    entry.reading = undefined;
    entry.writing = undefined;
    former.counted.retire();
    onProvider(name);
  };

  const settle = (name: string, entry: Entry, opening: ZoneFound['opening']): void => {
    const isSame = JSON.stringify(entry.opening) === JSON.stringify(opening);
    entry.opening = opening;
    if (!isSame) onFound(name);
  };

  /** Milliseconds until it is asked again. */
  const describe = async (zone: DnsZone, entry: Entry): Promise<number> => {
    const { name } = zone.metadata;
    const asked = entry.open;
    if (asked === undefined) return againMs(entry);
    try {
      const description = await asked.counted.provider.describe({ timeoutMs: callTimeoutMs });
      if (entry.open !== asked) return 0; // replaced meanwhile
      entry.failures = 0;
      entry.description = description;
      const mismatch = findMismatch(zone.spec, description);
      if (mismatch !== undefined) {
        entry.useless = asked.id;
        close(name, entry);
        settle(name, entry, { kind: 'refused', ...mismatch });
        return describeEveryMs;
      }
      onFound(name);
      // Not all zones at one time.
      const nextMs = describeEveryMs * (0.75 + chance.fraction() / 2);
      entry.describeAtMs = clock.monotonicMs() + nextMs;
      return nextMs;
    } catch (error) {
      entry.failures += 1;
      log.warn('DNS zone not found at its provider, or not to be asked', {
        dnsZone: name,
        error: describeError(error),
      });
      return againMs(entry);
    }
  };

  const againMs = ({ failures }: Entry): number => {
    const ceiling = Math.min(describeAgainMaxMs, describeAgainMinMs * 2 ** Math.min(failures, 16));
    return Math.round(ceiling * (0.5 + chance.fraction() / 2));
  };

  /** K3. */
  const note = (name: string, entry: Entry, call: string, answer: Answer): void => {
    if (answer.outcome === 'throttled') return; // it is there, and we may; only not so fast
    const before = answerOf(entry);
    if (call === 'apply') entry.writing = answer;
    else entry.reading = answer;
    const after = answerOf(entry);
    if (before?.outcome !== after?.outcome || before?.message !== after?.message) onFound(name);
  };

  const loop = createLoop<string>({
    name: 'dns-zones',
    run,
    clock,
    chance,
    log,
    concurrency: zonesAtOnce,
  });
  return {
    mark: (name) => loop.mark(name),
    provider: (name) => entries.get(name)?.open?.counted.provider,
    found: (name) => {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      const { opening, description } = entry;
      return { opening, description, answer: answerOf(entry) };
    },
    idle: () => loop.idle(),
    stop: async () => {
      await loop.stop();
      for (const { open: former } of entries.values()) former?.counted.retire();
      entries.clear();
    },
  };
}

function newEntry(): Entry {
  return {
    opening: { kind: 'none' },
    open: undefined,
    reading: undefined,
    writing: undefined,
    description: undefined,
    describeAtMs: 0,
    failures: 0,
    useless: undefined,
  };
}

function answerOf({ reading, writing }: Entry): Answer | undefined {
  return writing === undefined || writing.outcome === 'ok' ? (reading ?? writing) : writing;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
