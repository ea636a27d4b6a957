// The DNS stage, wired of its rooms: which zones there are, what each says of each Service, and
// what became of it at the providers.

import type { AppliedView, DnsZoneView, ImportSource } from '../common/model/views.ts';
import type { Term } from './desired/term.ts';
import { createHostnameLookup } from './dns-hostnames.ts';
import { createDnsApplier } from './dns/apply/loop.ts';
import { createDns, type DnsOptions } from './dns/publish/loop.ts';
import { createImportSource } from './dns/check/imports.ts';
import { createDelegationChecks, type DnsLookout } from './dns/check/loop.ts';
import type { ProviderSource } from './dns/provider/provider-source.ts';
import { keepDefaultZone } from './dns/zones/default-zone.ts';
import type { OpenDnsProvider } from './dns/zones/options.ts';
import { createZoneStatus } from './dns/zones/status-loop.ts';
import { createDnsZones } from './dns/zones/zones.ts';

export interface DnsStageOptions extends Omit<DnsOptions, 'zones' | 'config' | 'term'> {
  readonly term: Pick<Term, 'guard' | 'number'>;
  readonly config: DnsOptions['config'] & {
    /** Of the DNSZone that is made where nobody made one. */
    readonly domain: string;
    /** Of our marks and fences at providers. Default: the store's identity. */
    readonly ownerId?: string | undefined;
  };
  /** Absent: the embedded zone alone. */
  readonly openDnsProvider?: OpenDnsProvider;
  /** Absent (the simulation): nobody looks at delegations. */
  readonly dnsLookout?: DnsLookout;
}

export interface DnsStage {
  readonly zones: DnsZoneView;
  readonly applied: AppliedView;
  readonly providers: ProviderSource;
  readonly imports: ImportSource;
  /** Before start(), under the term. */
  prepare(): Promise<void>;
  start(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createDnsStage(options: DnsStageOptions): DnsStage {
  const openProvider = options.openDnsProvider ?? refuseToOpen;
  const zones = createDnsZones({ ...options, openProvider });
  const { dnsLookout: lookout } = options;
  const lookUp = lookout === undefined ? undefined : createHostnameLookup(lookout);
  const dns = createDns({ lookUp, ...options, zones: zones.view });
  const ownerId = options.config.ownerId ?? options.desired.identity().id;
  const applier = createDnsApplier({
    ...options,
    zones: zones.view,
    providers: zones.source,
    federation: options.config.federation,
    ownerId,
  });
  const checks =
    lookout === undefined
      ? undefined
      : createDelegationChecks({ ...options, lookout, onVerdict: (name) => status.mark(name) });
  const status = createZoneStatus({
    ...options,
    zones,
    applied: applier.view,
    delegation: (name) => checks?.verdict(name),
  });
  const rooms = [zones, dns, applier, status, ...(checks === undefined ? [] : [checks])];
  return {
    zones: zones.view,
    applied: applier.view,
    providers: zones.source,
    imports: createImportSource({
      zones: zones.view,
      providers: zones.source,
      budgets: applier.budgets,
      clock: options.clock,
      federation: options.config.federation,
      ownerId,
    }),
    prepare: () => keepDefaultZone(options, options.config.domain),
    start: () => rooms.forEach((room) => room.start()),
    idle: async () => {
      for (const room of rooms) await room.idle();
    },
    stop: async () => {
      for (const room of rooms.toReversed()) await room.stop();
    },
  };
}

const refuseToOpen: OpenDnsProvider = ({ kind }) =>
  Promise.reject(new Error(`this coordinator has no provider ${kind}`));
