// The client that asks one server: what the kernel refuses is an answer like any other silence.

import test from 'ava';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createDnsClient } from '../../common/runtime/dns-client.ts';

test('C1 a server that there is no way to is silent, and the process goes on', async (t) => {
  const ask = createDnsClient({ clock: systemClock, chance: systemChance, timeoutMs: 500 });
  // Linux connects no socket to it unless it is told that broadcasts are meant: as it connects none
  // to an address of IPv6 where the host has none.
  const server = { host: '255.255.255.255', port: 53 };
  const asked = await ask({ server, name: 'example.com', type: 'A', isRecursive: false });
  t.is(asked.kind, 'silent');
  t.regex(asked.kind === 'silent' ? asked.message : '', /EACCES|ENETUNREACH|EHOSTUNREACH/);
});
