// Many watchers, and some that never read: everybody who listens hears every change once and in
// order (I1), and who does not listen costs the others nothing (I10, I11).

import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import { withoutLabel } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { lostWrites, startWrites } from '../support/write-stream.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const watchersMax = 200;
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 1 });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial('I1 200 watches on connections of their own hear every change once', async (t) => {
  const watchers = await Promise.all(Array.from({ length: watchersMax }, () => openWatcher()));
  const writes = startWrites(mesh.kube(), 'w', 4);
  await writes.next(100);
  await writes.stop();
  const wanted = [...writes.acknowledged.values()].map(Number).sort((x, y) => x - y);
  await eventually(20_000, () =>
    Promise.resolve(
      watchers.flatMap(({ heard }) => (heard.length < wanted.length ? ['late'] : [])),
    ),
  );
  for (const { heard } of watchers) t.deepEqual(heard, wanted);
  for (const watcher of watchers) watcher.close();
  await eventually(10_000, async () => {
    const left = await mesh.metric('admin', 'mesh_api_watches');
    return left < 20 ? [] : [`${left} watches`];
  });
});

test.serial(
  'real kubectl -w sees what happens, also while the API is full of watchers',
  async (t) => {
    const watchers = await Promise.all(Array.from({ length: 100 }, () => openWatcher()));
    const seen = mesh.kubectl(federated, [
      'wait',
      'service/nginx',
      '--for=jsonpath={.metadata.labels.seen}=yes',
      '--timeout=20s',
    ]);
    await mesh.kubectl(federated, ['label', 'svc', 'nginx', 'seen=yes']);
    t.regex(await seen, /condition met/);
    await eventually(5_000, () => withoutLabel(mesh, [a], { name: 'seen', value: 'yes' }));
    for (const watcher of watchers) watcher.close();
  },
);

test.serial(
  'I11 watchers that never read are cut off; the others and the writer notice nothing',
  async (t) => {
    const deaf = await Promise.all(Array.from({ length: 10 }, () => openDeafWatcher()));
    const watcher = await openWatcher();
    const writes = startWrites(mesh.kube(), 'deaf', 4, {
      fillingBytes: 60_000,
      // 1 MiB behind at the most: a watcher that reads stays far from the limit of 4 MiB.
      pace: (acknowledged) =>
        eventually(20_000, () => {
          const behind = acknowledged - watcher.heard.length;
          return Promise.resolve(behind < 16 ? [] : [`the watcher is ${behind} writes behind`]);
        }),
    });
    const cutOff = (): Promise<number> => mesh.metric('admin', 'mesh_api_watches_cut_off_total');
    const before = await cutOff();
    await eventually(30_000, async () => {
      const now = await cutOff();
      return now >= before + deaf.length ? [] : [`${now - before} of ${deaf.length} cut off`];
    });
    await writes.stop();
    t.is(writes.failed(), 0);
    t.deepEqual(await lostWrites(mesh.kube(), writes.acknowledged), []);
    const wanted = [...writes.acknowledged.values()].map(Number).sort((x, y) => x - y);
    await eventually(20_000, () =>
      Promise.resolve(watcher.heard.length < wanted.length ? [`${watcher.heard.length}`] : []),
    );
    t.deepEqual(watcher.heard, wanted);
    watcher.close();
    for (const socket of deaf) socket.destroy();
    const resident = await mesh.metric('admin', 'process_resident_memory_bytes');
    t.true(resident < 600 << 20, `${resident >> 20} MiB`);
  },
);

interface Watcher {
  /** resourceVersions of the ConfigMaps added since, in the order heard. */
  readonly heard: number[];
  close(): void;
}

const path = '/api/v1/namespaces/default/configmaps';

async function openWatcher(): Promise<Watcher> {
  const session = await openSession();
  const from = (await readAll(session, `${path}?limit=1`)).metadata.resourceVersion;
  const heard: number[] = [];
  const stream = session.request({
    ':path': `${path}?watch=1&resourceVersion=${from}&allowWatchBookmarks=true`,
  });
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { type, object } = JSON.parse(line) as WatchEvent;
      if (type === 'ADDED') heard.push(Number(object.metadata.resourceVersion));
    }
  });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('response', resolve));
  return { heard, close: () => session.destroy() };
}

/** Asks for a watch over HTTP/1.1 and then reads nothing of it. */
async function openDeafWatcher(): Promise<TLSSocket> {
  const { ca, cert, key } = await loadCredentials();
  const [host, port] = ['127.0.0.1', Number(mesh.at('api').split(':')[1])];
  const socket = connectTls({ host, port, ca, cert, key, servername: 'localhost' });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.write(`GET ${path}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve)); // its head: the watch is open
  return socket;
}

async function openSession(): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://${mesh.at('api')}`, await loadCredentials());
  session.on('error', () => undefined);
  return session;
}

async function loadCredentials(): Promise<{ ca: string; cert: string; key: string }> {
  const kubeconfigPath = `${mesh.layout.coordinatorDir}/admin.kubeconfig`;
  const endpoint = await loadKubeEndpoint({ kubeconfigPath, context: undefined }, {});
  const { caPem = '', clientCertPem = '', clientKeyPem = '' } = endpoint;
  return { ca: caPem, cert: clientCertPem, key: clientKeyPem };
}

function readAll(session: ClientHttp2Session, from: string): Promise<Listed> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': from });
    let body = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (body += chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      if (body === '') reject(new Error(`${from}: the connection was closed without an answer`));
      else resolve(JSON.parse(body) as Listed);
    });
  });
}

interface Listed {
  readonly metadata: { readonly resourceVersion: string };
}

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata: { readonly resourceVersion: string } };
}
