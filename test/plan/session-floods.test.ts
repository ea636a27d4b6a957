// An agent that asks for more than any needs, and reads nothing of it, costs its own stream.

import test from 'ava';
import { toClusterName, toRevision, type ServiceKey } from '../../common/model/ids.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import type { Shard } from '../../common/model/shard.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { AgentLink } from '../../coordinator/session/link.ts';
import { onMessage } from '../../coordinator/session/messages.ts';
import type { Refusal } from '../../coordinator/session/mesh-port.ts';
import { PeerJournal } from '../../coordinator/session/peer-journal.ts';
import { SharedMessages } from '../../coordinator/session/shared-messages.ts';
import type { ClusterRecord, Stage } from '../../coordinator/session/stage.ts';
import { ForeignSet } from '../../common/pure/foreign-services.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { TablePeers } from '../support/table-peers.ts';

const cluster = toClusterName('one');
const shards: readonly Shard[] = Array.from({ length: 50 }, (_, at) => {
  const bytes = Buffer.from(`${at}`.repeat(100));
  return { key: `shop/web-${at}` as ServiceKey, bytes, hash: contentHash(bytes) };
});

/** A stream whose peer reads nothing, or everything. */
function open(isRead: boolean) {
  const clock = createManualClock();
  const sent: CoordinatorMessage[] = [];
  const ends: (Refusal | undefined)[] = [];
  const receiptKey = { key: new Uint8Array(32), storeId: 's', epoch: 1 };
  const placement = {
    revision: () => toRevision(1),
    shard: (_: unknown, key: ServiceKey) => shards.find((one) => one.key === key),
    shardsOf: () => shards,
    removalsOf: () => [],
  };
  const signed: string[] = [];
  const written: string[] = [];
  const stage = {
    clusters: new Map(),
    tell: () => undefined,
    clock,
    log: silentLog,
    metrics: silentMetrics,
    placement,
    authority: {
      trustDigest: () => 'current',
      hashOfRequest: () => {
        signed.push('certificate');
        return Promise.reject(new Error('that is enough'));
      },
    },
    telemetryUsers: {
      login: () => {
        signed.push('natsLogin');
        return Promise.reject(new Error('that is enough'));
      },
    },
    desired: { get: (key: string) => void written.push(key) },
    trust: { mark: (name: string) => void written.push(name) },
  } as unknown as Stage; // what these messages need of it
  const link = new AgentLink({
    cluster,
    stream: {
      peer: { cluster, clusterUid: 'u', publicKeyHash: 'k' },
      remoteAddress: '192.0.2.1',
      send: (message) => {
        sent.push(message);
        return isRead;
      },
      end: (refusal) => void ends.push(refusal),
    },
    placement: placement as never,
    journal: new PeerJournal(new TablePeers()),
    shared: new SharedMessages(receiptKey),
    receiptKey,
    clock,
  });
  const record = {
    link,
    state: { isConnected: true },
    results: new Map(),
    foreign: new ForeignSet(),
  } as unknown as ClusterRecord; // likewise
  const say = (message: Parameters<typeof onMessage>[3]): void =>
    onMessage(stage, record, link, message);
  return { say, sent, ends, signed, written, clock, link };
}

const inventory = {
  kind: 'inventory',
  entries: shards.map(({ key }) => ({ key, hash: contentHash(Buffer.from('another')) })),
  isLast: true,
} as const;

test('I10 an inventory is taken once: a second one ends the stream, and nothing is sent anew', (t) => {
  const { say, sent, ends } = open(true);
  say(inventory);
  const count = sent.length;
  t.true(count > 0);
  t.deepEqual(ends, []);
  for (let time = 0; time < 100; time += 1) say(inventory);
  t.is(sent.length, count);
  t.like(ends[0], { reason: 'InventoryTwice', retry: true });
});

const ask = {
  certificate: { kind: 'renew', csrDer: new Uint8Array(1) },
  natsLogin: {
    kind: 'natsRenewal',
    natsKey: { publicKey: 'U', proof: new Uint8Array(1) },
  },
} as const;

for (const what of ['certificate', 'natsLogin'] as const) {
  test(`I10 a flood of requests for a ${what} costs two answers a second`, async (t) => {
    const { say, signed, clock } = open(true);
    for (let time = 0; time < 100; time += 1) say(ask[what]);
    await clock.advance(0);
    t.is(signed.length, 4);
    await clock.advance(2_000);
    for (let time = 0; time < 100; time += 1) say(ask[what]);
    await clock.advance(0);
    t.is(signed.length, 8);
  });

  test(`I10 who does not read gets no further ${what}`, async (t) => {
    const { say, signed, clock, link } = open(false);
    link.sendNow({ kind: 'ping', nonce: 1 });
    say(ask[what]);
    await clock.advance(0);
    t.deepEqual(signed, []);
    link.onDrain();
    say(ask[what]);
    await clock.advance(0);
    t.deepEqual(signed, [what]);
  });
}

test('I10 only the CAs of now are recorded as trusted', (t) => {
  const { say, written } = open(true);
  for (let time = 0; time < 100; time += 1) say({ kind: 'trusted', digest: `other ${time}` });
  t.deepEqual(written, []);
  say({ kind: 'trusted', digest: 'current' });
  t.is(written.length, 1);
});
