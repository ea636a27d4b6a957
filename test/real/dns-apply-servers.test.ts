// The applier on the real servers that take dynamic updates.

import test from 'ava';
import { declareApplierContract } from '../contract/dns-apply.ts';
import { missingOf, openDnsServer, type DnsServer } from '../support/dns/dns-server.ts';
import { bind, knot, powerDns } from '../support/dns/dns-servers.ts';
import { openServerSubject } from '../support/dns/rfc2136-subject.ts';

// More than the suite has tests.
const zoneCount = 12;

for (const kind of [bind, knot, powerDns]) {
  const missing = missingOf(kind);
  if (missing !== undefined) {
    test.skip(`applier on ${kind.name}: ${missing} is not installed`, (t) => t.pass());
    continue;
  }
  let server: Promise<DnsServer> | undefined;
  test.after.always(async () => (await server)?.dispose());
  declareApplierContract(test.serial, `applier on ${kind.name}`, {
    openSubject: async () => {
      server ??= openDnsServer(kind, zoneCount);
      return openServerSubject(await server);
    },
    faults: ['dropAnswerAfterApply', 'dropBeforeApply'],
  });
}
