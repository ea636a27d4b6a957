// Two replicas of an agent, one of which loses the API server, or stands still, while the other does
// not. It takes the time of two leases, so it is part of the full run.

import { systemClock } from '../../common/runtime/clock.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { heldBy, openChartedCluster, repairs } from '../support/charted-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';

const peers = ['etcd', 'kube-apiserver', 'helm'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const isFull = process.env['TEST_FULL'] === 'true';
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const federated = 'federation-cluster';
const leaseEndsMs = 45_000;

// Not in CI: it waits for two leases to run out, about a minute. `npm run test:full` runs it.
(isFull ? test : test.skip)(
  'I12: a replica that loses the API server, or stands still, yields to the other and does not fight it',
  async (t) => {
    t.timeout(280_000);
    const mesh = await openRealMesh({ clusters: 0 });
    t.teardown(() => mesh.close());
    const { token } = await makeJoinToken(mesh.kube(), 'real');
    const coordinator = `coordinator.address=${mesh.at('mesh')}`;
    const values = ['cluster.name=real,cluster.region=r1', coordinator, `join.token=${token}`];
    const cluster = await openChartedCluster(values);
    t.teardown(() => cluster.close());
    const { hostname, port } = new URL(cluster.server.url);
    const proxy = await openTcpProxy({ target: { host: hostname, port: Number(port) } });
    t.teardown(() => proxy.close());
    const through = `https://127.0.0.1:${proxy.port}`;
    const first = await cluster.startReplica({ disk: 'd1', pod: 'p1', through });
    const second = await cluster.startReplica({ disk: 'd2', pod: 'p2' });
    const isReady = async () => {
      const within = { clock: systemClock, withinMs: 60_000 };
      return waitForClusters(mesh.kube(), ['real'], within);
    };
    t.deepEqual(await isReady(), []);
    await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
    await eventually(30_000, () => heldBy(cluster, 'p1'));
    await eventually(30_000, async () => {
      await repairs(cluster, first);
      return [];
    });

    proxy.breakAll('pause');
    await eventually(leaseEndsMs, () => heldBy(cluster, 'p2'));
    await repairs(cluster, second);
    t.deepEqual(await isReady(), []);
    // The coordinator knows of one of them only, and told the other.
    await eventually(20_000, () =>
      Promise.resolve(first.log().includes('Superseded') ? [] : [first.log()]),
    );
    proxy.heal();
    await eventually(30_000, () => {
      const log = first.log();
      const at = log.lastIndexOf('this replica follows the leading one');
      return Promise.resolve(at > log.indexOf('Superseded') ? [] : [log.slice(-2_000)]);
    });
    t.deepEqual(await heldBy(cluster, 'p2'), []);

    second.part.signal('SIGSTOP');
    await eventually(leaseEndsMs, () => heldBy(cluster, 'p1'));
    await repairs(cluster, first);
    second.part.signal('SIGCONT');
    await eventually(20_000, () => {
      const log = second.log();
      return Promise.resolve(
        log.includes('another replica leads: this one stands by') ? [] : [log.slice(-2_000)],
      );
    });
    await repairs(cluster, first);
    t.deepEqual(await heldBy(cluster, 'p1'), []);
    t.deepEqual(await isReady(), []);
  },
);
