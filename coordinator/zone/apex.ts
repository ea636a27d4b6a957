// The top of the embedded zone: its name servers and the numbers of its SOA.

import { invariant } from '../../common/pure/errors.ts';
import { isWithin, prependLabels, toWireName, type WireName } from '../../common/pure/dns-wire.ts';
import type { ZoneApex } from './answer.ts';

export interface ZoneSettings {
  /** Apex without the trailing dot. */
  readonly domain: string;
  readonly federation: string;
  /** Names of the servers that the parent zone delegates to; default `ns1.<domain>`. */
  readonly nameServers?: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
  }[];
  /** How long "no such name" may be kept. Short: a new Service's name is often asked early. */
  readonly negativeTtlSeconds?: number;
}

const apexTtlSeconds = 3_600;
const negativeTtlDefaultSeconds = 5;

/** `selfAddresses` are published for the default name server. */
export function toZoneApex(settings: ZoneSettings, selfAddresses: readonly string[]): ZoneApex {
  const apex = wireOf(settings.domain);
  const servers = settings.nameServers ?? [
    { name: `ns1.${settings.domain}`, addresses: selfAddresses },
  ];
  const mailbox = prependLabels('hostmaster', apex);
  invariant(mailbox !== undefined, `${settings.domain} leaves no room for a name below it`);
  return {
    nameServers: servers.map(({ name, addresses }) => {
      const wire = wireOf(name);
      return { name: wire, addresses: isWithin(wire, apex) ? addresses : [] };
    }),
    mailbox,
    ttlSeconds: apexTtlSeconds,
    negativeTtlSeconds: settings.negativeTtlSeconds ?? negativeTtlDefaultSeconds,
  };
}

function wireOf(name: string): WireName {
  const wire = toWireName(name);
  invariant(wire !== undefined, `${name} is no DNS name`);
  return wire;
}
