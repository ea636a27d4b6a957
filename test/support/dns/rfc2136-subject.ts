// The provider suite on a real server: one server a file, one zone a test, and a proxy between.

import type { TestFn } from 'ava';
import { declareProviderContract, type ProviderSubject } from '../../contract/dns-provider.ts';
import { openDnsProxy } from './dns-proxy.ts';
import {
  missingOf,
  openAt,
  openDnsServer,
  type DnsServer,
  type DnsServerKind,
} from './dns-server.ts';
import { nsupdate } from './nsupdate.ts';

// More than the suite has tests.
const zoneCount = 60;

/** Declares the suite, or the one skipped test that says what is missing. */
export function declareOnServer(test: TestFn, kind: DnsServerKind): void {
  const missing = missingOf(kind);
  if (missing !== undefined) {
    test.skip(`${kind.name}: ${missing} is not installed`, (t) => t.pass());
    return;
  }
  const world: { server: DnsServer | undefined } = { server: undefined };
  test.before(async () => {
    world.server = await openDnsServer(kind, zoneCount);
  });
  test.after.always(() => world.server?.dispose());
  declareProviderContract(kind.isSerial === true ? test.serial : test, kind.name, {
    openSubject: () => {
      if (world.server === undefined) throw new Error('the server is not there');
      return openServerSubject(world.server);
    },
    faults: ['hang', 'dropAnswerAfterApply', 'dropBeforeApply', 'denied'],
    weights: 'none',
    hasAlias: false,
  });
}

export async function openServerSubject(server: DnsServer): Promise<ProviderSubject> {
  const zone = server.takeZone();
  const proxy = await openDnsProxy(server.port);
  const provider = openAt(proxy, { zone, key: server.ours });
  const theirs = { port: server.port, zone, key: server.other };
  return {
    provider,
    apex: zone,
    settle: () => Promise.resolve(),
    foreign: {
      put: (sets) => nsupdate(theirs, 'put', sets),
      remove: (sets) => nsupdate(theirs, 'remove', sets),
    },
    faults: proxy,
    dispose: async () => {
      await provider.close();
      await proxy.close();
    },
  };
}
