// Both sides count one digest: whatever changed in between, over the wire, over restarts.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName, toServiceKey } from '../../common/model/ids.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { toPeerItem } from '../../common/pure/peer-digest.ts';
import {
  decodeCoordinatorMessage,
  encodeCoordinatorMessage,
} from '../../common/wire/mesh-codec.ts';
import { PeerTable } from '../../agent/session/peer-table.ts';
import { PeerDigest } from '../../coordinator/session/peer-digest.ts';
import { PeerJournal } from '../../coordinator/session/peer-journal.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import { MemoryTables, TablePeers, toPeer } from '../support/table-peers.ts';

const keyOf = (at: number) => toServiceKey({ namespace: 'shop', name: `s${at}` });

const step = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    service: fc.nat(5),
    cluster: fc.nat(4),
    isHealthy: fc.boolean(),
    region: fc.constantFrom('r', undefined),
    ports: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('drop' as const), service: fc.nat(5), cluster: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom('tell' as const, 'restart' as const) }),
);

test('an item is canonical JSON, as former versions count it', (t) => {
  const texts = fc.array(fc.string(), { maxLength: 3 });
  const shard = fc.record({
    cluster: fc.constantFrom(toClusterName('one'), toClusterName('two')),
    zones: texts,
    region: fc.option(fc.string(), { nil: undefined }),
    addresses: texts,
    hostnames: texts,
    tcpPorts: fc.array(fc.nat()),
    isHealthy: fc.boolean(),
  });
  fc.assert(
    fc.property(shard, (one) => {
      t.is(toPeerItem(keyOf(1), one), `${keyOf(1)} ${toCanonicalJson(one)}`);
    }),
  );
});

test('an agent that was told everything has the coordinator’s digest', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = createVirtualClock();
      const peers = new TablePeers();
      peers.putShard(keyOf(9), toPeer('always'));
      const journal = new PeerJournal(peers);
      let digest = new PeerDigest(peers);
      peers.subscribe((due) => {
        journal.note(due);
        digest.note(due);
      });
      digest.start(clock);
      const tables = new MemoryTables();
      let table = new PeerTable(tables);
      let told: number | undefined;
      const tell = async (): Promise<void> => {
        for (const message of journal.messagesSince(told)) {
          const heard = decodeCoordinatorMessage(encodeCoordinatorMessage(message));
          if (heard.kind === 'peers') await table.apply(heard);
        }
        told = journal.head;
      };
      for (const one of steps) {
        if (one.kind === 'put') {
          const { isHealthy, region, ports } = one;
          const shard = toPeer(`c${one.cluster}`, { isHealthy, region, tcpPorts: ports });
          peers.putShard(keyOf(one.service), shard);
        }
        if (one.kind === 'drop')
          peers.dropShard(keyOf(one.service), toClusterName(`c${one.cluster}`));
        if (one.kind === 'tell') await tell();
        if (one.kind === 'restart') {
          table.digest();
          table = new PeerTable(tables);
          digest = new PeerDigest(peers);
          digest.start(clock);
          await clock.advance(10);
        }
      }
      await tell();
      if (table.digest() !== digest.value()) throw new Error(`${table.digest()} ${digest.value()}`);
      const before = digest.value();
      peers.putShard(keyOf(1), toPeer('c1', { addresses: ['203.0.113.9'] }));
      if (digest.value() === before) throw new Error('a change that is not seen');
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('I11: a large table is gone through in slices, and has no digest before', async (t) => {
  const clock = createVirtualClock();
  const peers = new TablePeers();
  for (let at = 0; at < 2_000; at += 1) peers.putShard(keyOf(at), toPeer('a'));
  const digest = new PeerDigest(peers);
  digest.start(clock);
  t.is(digest.value(), undefined);
  await clock.advance(10);
  t.not(digest.value(), undefined);
});
