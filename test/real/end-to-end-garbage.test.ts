// Garbage on every port, from strangers and from a cluster that has joined and turned bad: it is
// counted and refused, nobody else notices, and no process ends (I8, I11).

import { join as joinPath } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { AgentStream, StreamEnd } from '../../agent/session/mesh-port.ts';
import { toClusterName, toRevision, toServiceKey } from '../../common/model/ids.ts';
import { natsKeyText } from '../../common/model/session.ts';
import { reportSubject } from '../../common/pure/partition.ts';
import { clusterInboxPrefix } from '../../common/pure/inbox.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { connectNats } from '../../common/runtime/nats-bus.ts';
import { encodeSeed, openSeed } from '../../common/runtime/nkeys.ts';
import { createCsr } from '../../common/runtime/pki.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { meshService } from '../../common/wire/mesh-service.ts';
import { encodeReport } from '../../common/wire/telemetry-codec.ts';
import { makeJoinToken } from '../../demo/federation-api.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { conditionOf } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { noise, tcpGarbage, throwAtTcp, throwAtUdp, udpGarbage } from '../support/raw-garbage.ts';
import { askRaw } from '../support/raw-https.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const federation = 'myfederation';
const federated = 'federation-cluster';
const victim = toClusterName(a);
const evil = toClusterName('evil');
const natsKey = openSeed(encodeSeed('user', chance.bytes(32)));
let mesh: RealMesh;
let identity: { readonly certPem: string; readonly keyPem: string; readonly caPem: string };

test.before(async () => {
  mesh = await openRealMesh({ clusters: 2 });
  await mesh.createNginx();
  identity = await joinAsEvil();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial('I11 garbage on every TCP port is counted, and service goes on', async (t) => {
  const dns = await watchDns(() => mesh.answers());
  const errors = (): Promise<number> => mesh.metric('admin', 'mesh_api_connection_errors_total');
  const before = await errors();
  const meshBefore = await mesh.metric('admin', 'mesh_session_failures_total');
  const ports = ['api', 'mesh', 'nats', 'dns', 'admin'];
  const agentPorts = [`${a}/resolver`, `${a}/admin`];
  for (const payload of tcpGarbage()) {
    await Promise.all([...ports, ...agentPorts].map((port) => throwAtTcp(mesh.at(port), payload)));
  }
  t.true((await errors()) > before);
  t.true((await mesh.metric('admin', 'mesh_session_failures_total')) > meshBefore);
  await serviceGoesOn();
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
});

test.serial('I11 connections that say nothing keep nobody out', async (t) => {
  const silent = Array.from({ length: 60 }, () =>
    Promise.all(['api', 'mesh', 'dns'].map((port) => throwAtTcp(mesh.at(port), Buffer.alloc(0)))),
  );
  await serviceGoesOn();
  await Promise.all(silent);
  t.pass();
});

test.serial('garbage datagrams at both DNS servers are counted, and answers stay', async (t) => {
  const dropped = (): Promise<number> =>
    mesh.metric('admin', 'mesh_zone_answers_total', 'transport="udp"');
  const before = await dropped();
  for (let round = 0; round < 5; round += 1) {
    await throwAtUdp(mesh.at('dns'), udpGarbage());
    await throwAtUdp(mesh.at(`${a}/resolver`), udpGarbage());
  }
  await eventually(5_000, async () =>
    (await dropped()) > before + 100 ? [] : [`${await dropped()} after ${before}`],
  );
  t.deepEqual(await mesh.dnsFaults([a, f]), []);
  t.regex(await mesh.resolve(a), /^A 10\.63\./);
});

test.serial('garbage on a session with a good certificate: refused and counted', async (t) => {
  const failures = (): Promise<number> => mesh.metric('admin', 'mesh_session_failures_total');
  const before = await failures();
  for (let seed = 1; seed <= 10; seed += 1) await sendOnSession(noise(seed, seed * 50));
  t.true((await failures()) >= before + 5);
  await serviceGoesOn();
});

test.serial('I8 a certificate opens no session for another cluster', async (t) => {
  const end = await openSessionAs(a);
  t.false(end.retry, `${end.reason}: ${end.message}`);
  t.not(end.reason, 'Unreachable');
  t.is(await conditionOf(mesh.kube(), a, 'Ready'), 'True');
  t.regex(mesh.logOf(`${a}/agent`), /session open/);
  t.notRegex(mesh.logOf(`${a}/agent`), /Superseded/);
});

test.serial(
  'I8 garbage and lies on NATS subjects: dropped, counted, believed by nobody',
  async (t) => {
    const dns = await watchDns(() => mesh.answers());
    const dropped = (why: string): Promise<number> =>
      mesh.metric('admin', 'mesh_health_messages_dropped_total', `why="${why}"`);
    const { stream: session, userJwt } = await openOwnSession();
    const bus = await openEvilBus(userJwt);
    try {
      const [malformed, stranger] = [await dropped('malformed'), await dropped('cluster')];
      for (let seed = 1; seed <= 2_000; seed += 1) {
        bus.publish(reportSubject(federation, 'health.full', evil), noise(seed, seed % 300));
        bus.publish(`isthmus.${federation}.event.${'x'.repeat(40)}`, noise(seed, 9));
      }
      bus.publish(reportSubject(federation, 'health.full', evil), Buffer.alloc(900_000, 7));
      // Of the victim: a lie under our own name, and the same lie under its name.
      bus.publish(reportSubject(federation, 'health.full', evil), lieAboutVictim());
      bus.publish(reportSubject(federation, 'health.full', victim), lieAboutVictim());
      await eventually(10_000, async () => {
        const [now, strangers] = [await dropped('malformed'), await dropped('cluster')];
        return now > malformed + 100 && strangers === stranger + 1 ? [] : [`${now}, ${strangers}`];
      });
    } finally {
      await bus.close();
      session.end();
    }
    await serviceGoesOn();
    await dns.stop();
    t.deepEqual([...dns.wrong], []);
    t.is(await shardHealth(a), 'healthy');
  },
);

test.serial('I8 the certificate of a cluster is worth nothing at the API', async (t) => {
  const kubeconfig = joinPath(mesh.layout.coordinatorDir, 'admin.kubeconfig');
  const paths = [
    '/api/v1/services',
    '/api/v1/namespaces/default/services/nginx',
    '/api/v1/secrets',
    '/apis/isthmus.dev/v1alpha1/clusters',
    '/apis/isthmus.dev/v1alpha1/jointokens',
    `/apis/isthmus.dev/v1alpha1/clusters/${evil}`,
    '/api/v1/events?watch=1',
  ];
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status } = await askRaw(kubeconfig, { method, path, client: identity, body: '{}' });
      t.is(status, 403, `${method} ${path}`);
    }
  }
  t.is(
    (await mesh.kubectl(federated, ['get', 'svc', '-o', 'name'])).trim(),
    'service/kubernetes\nservice/nginx',
  );
});

async function serviceGoesOn(): Promise<void> {
  await eventually(10_000, async () => {
    const ready = await Promise.all([a, f].map((name) => conditionOf(mesh.kube(), name, 'Ready')));
    return [...ready.filter((status) => status !== 'True'), ...(await mesh.dnsFaults([a, f]))];
  });
  await mesh.kubectl(federated, ['get', 'services']);
  if (mesh.crashes.length > 0) throw new Error(mesh.crashes.join());
}

async function joinAsEvil(): Promise<typeof identity> {
  const { token } = await makeJoinToken(mesh.kube(), evil);
  const { csrDer, keyPem } = await createCsr({ commonName: evil });
  const [caPem = ''] = await dialer().fetchCa('none', 5_000);
  const request = { cluster: evil, token, csrDer, agentVersion: '0' };
  const answer = await dialer().join(request, caPem, 10_000);
  return { certPem: answer.certificateChainPem, keyPem, caPem: answer.caPem };
}

function dialer(): ReturnType<typeof createGrpcDialer> {
  return createGrpcDialer({ coordinator: { host: '127.0.0.1', port: portOf('mesh') }, clock });
}

function portOf(name: string): number {
  return Number(mesh.at(name).split(':')[1]);
}

/** How the coordinator ends a session whose Hello names this cluster. */
function openSessionAs(cluster: string): Promise<StreamEnd> {
  return new Promise((resolve) => {
    const stream = dialer().connect(identity, { onMessage: () => undefined, onEnd: resolve });
    sayHello(stream, cluster);
  });
}

/** Like an honest agent: with a session comes the right to speak on NATS. */
function openOwnSession(): Promise<{ readonly stream: AgentStream; readonly userJwt: string }> {
  return new Promise((resolve, reject) => {
    const stream = dialer().connect(identity, {
      onMessage: (message) => {
        if (message.kind !== 'welcome') return;
        const { natsLogin } = message;
        if (natsLogin?.kind === 'granted') resolve({ stream, userJwt: natsLogin.userJwt });
        else reject(new Error('no NATS login'));
      },
      onEnd: ({ reason }) => reject(new Error(reason)),
    });
    sayHello(stream, evil);
  });
}

function sayHello(stream: AgentStream, cluster: string): void {
  stream.send({
    kind: 'hello',
    cluster: toClusterName(cluster),
    incarnation: { session: 1_000, boot: 1_000 },
    viewRevision: toRevision(0),
    receipt: undefined,
    digest: '0'.repeat(16),
    topology: { zones: [], region: undefined, provider: undefined },
    agentVersion: '',
    kubernetesVersion: '',
    natsKey: {
      publicKey: natsKey.publicKey,
      proof: natsKey.sign(Buffer.from(natsKeyText(evil))),
    },
  });
}

/** Resolves when the coordinator has ended the stream. */
function sendOnSession(bytes: Buffer): Promise<void> {
  const [ca, key, cert] = [identity.caPem, identity.keyPem, identity.certPem].map((pem) =>
    Buffer.from(pem),
  );
  const client = new Client(
    mesh.at('mesh'),
    credentials.createSsl(ca ?? null, key ?? null, cert ?? null),
    { 'grpc.ssl_target_name_override': 'isthmus-coordinator' },
  );
  return new Promise((resolve) => {
    const asIs = (some: Buffer): Buffer => some;
    const call = client.makeBidiStreamRequest(meshService.session.path, asIs, asIs);
    const over = (): void => {
      client.close();
      resolve();
    };
    call.on('data', () => undefined);
    call.on('end', () => undefined);
    call.on('error', over);
    call.on('status', over);
    call.write(bytes);
  });
}

async function openEvilBus(jwt: string): Promise<TelemetryBus> {
  const bus = connectNats({
    urls: [`tls://${mesh.at('nats')}`],
    name: 'evil',
    tls: () => identity,
    login: () => ({ jwt, key: natsKey }),
    inboxPrefix: clusterInboxPrefix(evil),
    clock,
    chance,
    log: silentLog,
    metrics: silentMetrics,
  });
  await eventually(10_000, () => Promise.resolve(bus.isConnected() ? [] : ['not connected']));
  return bus;
}

/** Says that the victim has nothing ready, in a life later than its own. */
function lieAboutVictim(): Uint8Array {
  const nothing = { ready: 0, serving: 0, terminating: 0, total: 1 };
  return encodeReport({
    kind: 'full',
    report: 'health',
    cluster: victim,
    incarnation: { session: 1_000, boot: 1_000 },
    sequence: 1,
    part: 1,
    parts: 1,
    items: [{ key: toServiceKey({ namespace: 'default', name: 'nginx' }), ...nothing }],
  });
}

async function shardHealth(cluster: string): Promise<string> {
  const path = 'jsonpath={.status.health}';
  return mesh.kubectl(federated, ['get', 'serviceshard', `nginx.${cluster}`, '-o', path]);
}
