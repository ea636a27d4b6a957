// An agent at a site with one way out: the coordinator and NATS have names that only the proxy
// knows, and it reaches both through it, from the join on.

import { createServer, connect, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { openTunnels, readProxyRules } from '../../common/runtime/proxy-tunnel.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { startServerProcess } from '../support/server-process.ts';

/** A proxy for one user, that knows some names and refuses all others. */
async function openProxy(t: ExecutionContext, names: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const server = createServer((near) => {
    near.on('error', () => undefined);
    near.once('data', (bytes) => {
      const [line = '', ...headers] = bytes.toString('latin1').split('\r\n');
      const [, target = ''] = /^CONNECT (\S+) HTTP\/1\.1$/.exec(line) ?? [];
      const login = `Proxy-Authorization: Basic ${Buffer.from('me:p@ss').toString('base64')}`;
      asked.push(target);
      if (!headers.includes(login)) return void near.end('HTTP/1.1 407 Who are you\r\n\r\n');
      const known = names[target];
      if (known === undefined) return void near.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      const [host, port] = known.split(':');
      const far = connect(Number(port), host);
      far.on('error', () => near.destroy()).on('close', () => near.destroy());
      far.on('connect', () => {
        near.write('HTTP/1.1 200 Connection established\r\n\r\n');
        near.pipe(far).pipe(near);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://me:p%40ss@127.0.0.1:${port}`, asked };
}

testWith('nats-server')(
  'an agent behind a proxy joins, has its session and reports through it',
  async (t) => {
    t.timeout(120_000);
    const mesh = await openRealMesh({
      clusters: 1,
      coordinatorFlags: ['--advertise=isthmus.invalid'],
    });
    t.teardown(() => mesh.close());
    const nats = `isthmus.invalid:${mesh.at('nats').split(':')[1]}`;
    const proxy = await openProxy(t, {
      'isthmus.invalid:7443': mesh.at('mesh'),
      [nats]: mesh.at('nats'),
    });
    const { token } = await makeJoinToken(mesh.kube(), 'far');
    const folder = mkdtempSync(join(tmpdir(), 'isthmus-proxy-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'token'), token);
    const flags = [
      '--cluster=far',
      `--kubeconfig=${mesh.layout.kubeconfig}`,
      `--context=${mesh.clusters[0]?.name ?? ''}`,
      '--coordinator=isthmus.invalid:7443',
      `--token-file=${join(folder, 'token')}`,
      `--data-dir=${join(folder, 'data')}`,
      '--resolver-listen=127.0.0.1:0',
      '--admin-listen=127.0.0.1:0',
    ];
    const agent = startServerProcess({
      name: 'agent',
      path: '/usr/bin/env',
      flags: [`HTTPS_PROXY=${proxy.url}`, process.execPath, 'dist/agent/main.js', ...flags],
    });
    t.teardown(() => agent.stop());
    const within = { clock: systemClock, withinMs: 60_000 };
    t.deepEqual(await waitForClusters(mesh.kube(), ['far'], within), [], agent.logs());
    await eventually(30_000, () =>
      Promise.resolve(agent.logs().includes('telemetry bus connected') ? [] : [agent.logs()]),
    );
    t.true(proxy.asked.includes('isthmus.invalid:7443'));
    t.true(proxy.asked.includes(nats));
    t.false(agent.logs().includes('p@ss'));
  },
);

const test = anyTest;
const rules = (noProxy: string) =>
  readProxyRules({ HTTPS_PROXY: 'http://proxy.example.com:3128', no_proxy: noProxy });

for (const [noProxy, host, isDirect] of [
  ['', 'isthmus.example.com', false],
  ['', 'localhost', true],
  ['', '127.0.0.9', true],
  ['', '::1', true],
  ['example.com', 'isthmus.example.com', true],
  ['.example.com', 'isthmus.example.com', true],
  ['*.example.com', 'isthmus.Example.com.', true],
  ['ample.com', 'isthmus.example.com', false],
  ['10.0.0.0/8, fd00::/8', '10.1.2.3', true],
  ['10.0.0.0/8, fd00::/8', 'fd00::5', true],
  ['10.0.0.0/8', '11.1.2.3', false],
  ['10.0.0.0/99,10.1.2.3', '10.1.2.3', true],
  ['*', '192.0.2.1', true],
] as const) {
  test(`NO_PROXY=${noProxy}: ${host} is reached ${isDirect ? 'directly' : 'by the proxy'}`, (t) => {
    t.is(rules(noProxy).direct(host), isDirect);
  });
}

for (const url of ['proxy:3128', 'socks5://proxy:1080', 'http://', '::']) {
  test(`a proxy that is none is refused: ${url}`, (t) => {
    const error = t.throws(() => readProxyRules({ https_proxy: url }));
    t.regex(error.message, /HTTPS_PROXY is not the URL of a proxy/);
  });
}

test('what a proxy refuses ends at once, and is said once', async (t) => {
  const proxy = await openProxy(t, {});
  const said: unknown[] = [];
  const log = { ...silentLog, warn: (...line: unknown[]) => void said.push(line) };
  const tunnels = openTunnels(readProxyRules({ https_proxy: proxy.url }), {
    clock: systemClock,
    log,
  });
  t.teardown(() => tunnels.close());
  const target = { host: 'isthmus.invalid', port: 7443 };
  const near = await tunnels.to(target);
  t.is(await tunnels.to(target), near);
  for (let tried = 0; tried < 2; tried += 1) {
    await new Promise((resolve) => connect(near.port, near.host).resume().on('close', resolve));
  }
  t.is(said.length, 1);
  t.regex(JSON.stringify(said), /403 Forbidden/);
});

test('without a proxy, and for a host that needs none, the address stays', async (t) => {
  const target = { host: 'isthmus.example.com', port: 7443 };
  const ports = { clock: systemClock, log: silentLog };
  t.is(await openTunnels(readProxyRules({}), ports).to(target), target);
  t.is(await openTunnels(rules('example.com'), ports).to(target), target);
});
