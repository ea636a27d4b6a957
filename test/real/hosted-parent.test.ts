// A hosted agent's link to its coordinator: what it tells of the API server, over an exchange with a
// server that answers as the test says.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { openParent } from '../../agent/hosted/parent.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog as log } from '../../common/runtime/log.ts';
import { eventually } from '../support/eventually.ts';
import {
  createLineReader,
  readFromHosted,
  toLine,
  type FromHosted,
} from '../../common/wire/hosted-lines.ts';

interface Answering {
  readonly url: string;
  /** By path; 200 with an empty list for others. */
  readonly status: Map<string, number>;
  readonly tokens: string[];
}

async function startServer(t: ExecutionContext): Promise<Answering> {
  const status = new Map<string, number>();
  const tokens: string[] = [];
  const server: Server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    tokens.push(String(request.headers.authorization));
    response.writeHead(status.get(path) ?? 200, { 'content-type': 'application/json' });
    const list = {
      kind: 'ServiceList',
      apiVersion: 'v1',
      metadata: {},
      items: [],
      gitVersion: 'v1',
    };
    response.end(JSON.stringify(list));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // a TCP listener
  return { url: `http://127.0.0.1:${port}`, status, tokens };
}

const kubeconfig = (server: string, token: string): string =>
  JSON.stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  });

test('what the API server says is told once it is sure, by the credentials that it is of', async (t) => {
  const { url, status, tokens } = await startServer(t);
  const input = new PassThrough();
  const told: FromHosted[] = [];
  const read = createLineReader((object) => {
    const message = readFromHosted(object);
    if (message !== undefined) told.push(message);
  });
  const opening = openParent({
    input,
    write: read,
    onGone: () => undefined,
    env: {},
    clock,
    chance,
    log,
  });
  input.write(toLine({ kind: 'kubeconfig', revision: 7, text: kubeconfig(url, 'one') }));
  const parent = await opening;
  t.teardown(() => parent.kube.close());
  const services = { apiVersion: 'v1', plural: 'services' };
  const list = (): Promise<unknown> => parent.kube.list(services).catch(() => undefined);
  const apis = () => told.filter(({ kind }) => kind === 'api');

  await parent.kube.version();
  t.deepEqual(apis(), [], 'the version is open to anybody');
  status.set('/api/v1/services', 500);
  await list();
  t.deepEqual(apis(), [], 'once is no fault yet');
  await list();
  t.like(apis().at(-1), { revision: 7, fault: { code: 'KUBE_SERVER_ERROR' } });
  status.set('/api/v1/services', 401);
  await list();
  t.like(apis().at(-1), { revision: 7, fault: { code: 'KUBE_UNAUTHORIZED' } });
  await list();
  t.is(apis().length, 2, 'what is told is told once');

  status.clear();
  input.write(toLine({ kind: 'kubeconfig', revision: 9, text: kubeconfig(url, 'two') }));
  input.write(toLine({ kind: 'ping' }));
  await eventually(5_000, () => Promise.resolve(told.at(-1)?.kind === 'pong' ? [] : ['no pong']));
  await list();
  t.deepEqual(apis().at(-1), { kind: 'api', revision: 9, fault: undefined });
  t.is(tokens.at(-1), 'Bearer two');

  t.is(parent.token(), undefined);
  t.is(told.at(-1)?.kind, 'wantsToken');
  const fetching = parent.fetchToken();
  input.write(toLine({ kind: 'token', token: 'isthmus.v1.x' }));
  await fetching;
  t.is(parent.token(), 'isthmus.v1.x');
});

test('P2: the end of stdin is told; what is no message is passed over', async (t) => {
  const input = new PassThrough();
  let isGone = false;
  const opening = openParent({
    input,
    write: () => undefined,
    onGone: () => (isGone = true),
    env: {},
    clock,
    chance,
    log,
  });
  input.write('garbage\n{"kind":"nonsense"}\n[1]\n');
  input.write(toLine({ kind: 'kubeconfig', revision: 1, text: '{}' }));
  await t.throwsAsync(opening, { code: 'KUBECONFIG_INVALID' });
  input.end();
  await eventually(5_000, () => Promise.resolve(isGone ? [] : ['not told']));
  t.true(isGone);
});
