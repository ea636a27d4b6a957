// What a reconnect costs on the stream, over real gRPC: by digest, whatever the agent holds.

import test, { type ExecutionContext } from 'ava';
import { toClusterName, toServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { encodeAgentMessage, encodeCoordinatorMessage } from '../../common/wire/mesh-codec.ts';
import type { MeshDialer } from '../../agent/session/mesh-port.ts';
import {
  openMesh,
  startAgent,
  toShard,
  until,
  type MeshWorld,
  type TestAgent,
} from '../support/mesh-fixture.ts';
import { toPeer } from '../support/table-peers.ts';

const one = toClusterName('one');

interface Count {
  /** Bytes of messages both ways, pings apart. */
  bytes: number;
  /** Kinds in their order, `<` from the coordinator. */
  kinds: string[];
}

/** Counts messages as they are on the wire. */
function counting(count: Count): (dialer: MeshDialer) => MeshDialer {
  return (dialer) => ({
    ...dialer,
    connect: (credentials, handler) => {
      const stream = dialer.connect(credentials, {
        ...handler,
        onMessage: (message) => {
          if (message.kind !== 'ping') {
            count.bytes += encodeCoordinatorMessage(message).length;
            count.kinds.push(`<${message.kind}`);
          }
          handler.onMessage(message);
        },
      });
      return {
        ...stream,
        send: (message) => {
          // A stream that met nobody has cost nothing that counts.
          if (message.kind === 'hello') Object.assign(count, { bytes: 0, kinds: [] });
          if (message.kind !== 'pong') {
            count.bytes += encodeAgentMessage(message).length;
            count.kinds.push(message.kind);
          }
          stream.send(message);
        },
      };
    },
  });
}

/** An agent that has applied `shards` shards, then is cut off and comes back to `to`. */
async function costOfReturn(
  t: ExecutionContext,
  shards: number,
  isCoordinatorNew: boolean,
): Promise<{ readonly count: Count; readonly world: MeshWorld; readonly agent: TestAgent }> {
  const first = await openMesh(t);
  const count: Count = { bytes: 0, kinds: [] };
  place(first, shards);
  const token = await first.makeToken();
  const agent = await startAgent(t, {
    port: first.port,
    cluster: 'one',
    token,
    wrap: counting(count),
  });
  agent.session.assignment.subscribe((key) => {
    const hash = agent.session.assignment.shard(key)?.hash;
    agent.session.report(applied(key, hash));
  });
  await until(() => [...first.placement.shardsOf(one)].every(({ key }) => isKnown(first, key)));
  await until(() => agent.session.isOpen() && agent.session.peers().length === shards);
  await first.stop();
  await until(() => !agent.session.isOpen());
  Object.assign(count, { bytes: 0, kinds: [] });
  const { disk, ca, port } = first;
  const world = isCoordinatorNew ? await openMesh(t, { disk, ca, port }) : first;
  place(world, shards);
  await until(() => agent.session.isOpen());
  await until(() => count.kinds.includes('<batch'));
  await until(() => [...world.placement.shardsOf(one)].every(({ key }) => isKnown(world, key)));
  await until(() => count.kinds.includes('ack'));
  return { count, world, agent };
}

function place(world: MeshWorld, shards: number): void {
  for (let at = 0; at < shards; at += 1) {
    const key = toServiceKey({ namespace: 'shop', name: `service-${at}` });
    world.placement.place(one, key, toShard(key, JSON.stringify({ at })));
    world.peers.put(key, { key, shards: [toPeer('one'), toPeer('two', { region: undefined })] });
  }
}

function applied(key: ShardResult['key'], hash: ShardResult['hash']): ShardResult {
  return { key, hash, outcome: 'applied', reason: 'Applied', message: 'the Service is as wished' };
}

function isKnown({ sessions, placement }: MeshWorld, key: ShardResult['key']): boolean {
  const result = sessions.result(one, key);
  return result?.outcome === 'applied' && result.hash === placement.shard(one, key)?.hash;
}

test('a return on which nothing has changed costs the same few hundred bytes for 2,000 shards as for none', async (t) => {
  t.timeout(60_000);
  const none = await costOfReturn(t, 0, true);
  const many = await costOfReturn(t, 2_000, true);
  t.deepEqual(many.count.kinds.sort(), ['<batch', '<welcome', 'ack', 'hello']);
  const more = many.count.bytes - none.count.bytes;
  t.true(Math.abs(more) < 100, `${more} bytes more than for none`);
  t.log(`${many.count.bytes} bytes in all`);
  t.true(many.count.bytes < 550, `${many.count.bytes} bytes`);
});

test('a return on which a peer has changed is told the table', async (t) => {
  t.timeout(60_000);
  const { world, agent, count } = await costOfReturn(t, 20, true);
  const key = toServiceKey({ namespace: 'shop', name: 'service-7' });
  world.peers.putShard(key, toPeer('two', { isHealthy: false }));
  const sick = () => agent.session.peers().find((service) => service.key === key)?.shards[1];
  await until(() => sick()?.isHealthy === false);
  await world.stop();
  await until(() => !agent.session.isOpen());
  const { disk, ca, port } = world;
  const next = await openMesh(t, { disk, ca, port }); // where it is well
  place(next, 20);
  await until(() => sick()?.isHealthy === true);
  t.true(count.kinds.includes('<peers'));
  t.is(agent.session.peers().length, 20);
});

test('a return tells one by one what is not plain, and nothing of what came since', async (t) => {
  t.timeout(60_000);
  const { world, agent, count } = await costOfReturn(t, 10, true);
  const key = toServiceKey({ namespace: 'shop', name: 'service-3' });
  const refusal: ShardResult = {
    ...applied(key, agent.session.assignment.shard(key)?.hash),
    outcome: 'refused',
    reason: 'QuotaExceeded',
  };
  agent.session.report(refusal);
  await until(() => world.sessions.result(one, key)?.reason === 'QuotaExceeded');
  await world.stop();
  await until(() => !agent.session.isOpen());
  Object.assign(count, { bytes: 0, kinds: [] });
  const { disk, ca, port } = world;
  const next = await openMesh(t, { disk, ca, port });
  place(next, 10);
  const changed = toServiceKey({ namespace: 'shop', name: 'service-5' });
  next.placement.place(one, changed, toShard(changed, '{"changed":true}'));
  await until(() => agent.session.isOpen());
  await until(() => next.sessions.result(one, key)?.reason === 'QuotaExceeded');
  const others = [...next.placement.shardsOf(one)].filter(
    (shard) => shard.key !== key && shard.key !== changed,
  );
  await until(() => others.every((shard) => isKnown(next, shard.key)));
  await until(() => isKnown(next, changed)); // told by the agent when it had it
  t.is(count.kinds.filter((kind) => kind === 'inventory').length, 1);
});
