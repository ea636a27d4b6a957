// The Kubernetes adapter against a server of a few lines over real sockets: pages, watches that
// break in each way, deadlines, and what each refusal becomes.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { createManualClock } from '../support/manual-clock.ts';

const chance = { fraction: () => 0.5, uuid: () => '', bytes: () => new Uint8Array() };
const services = { apiVersion: 'v1', plural: 'services' };
type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function serve(
  handler: Handler,
  clock: Clock = systemClock,
): Promise<{ kube: KubeClient; server: Server; close: () => void }> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => handler(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const kube = connectKube({
    config: {
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caPem: undefined,
      clientCertPem: undefined,
      clientKeyPem: undefined,
      serverName: undefined,
      skipTlsVerify: false,
      token: () => Promise.resolve('secret'),
    },
    clock,
    chance,
  });
  return {
    kube,
    server,
    close: () => {
      kube.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const send = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};
const status = (code: number, rest: object = {}): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  code,
  message: 'no',
  ...rest,
});
const list = (names: readonly string[], meta: object): object => ({
  kind: 'ServiceList',
  apiVersion: 'v1',
  metadata: meta,
  items: names.map((name) => ({ metadata: { name, namespace: 'n' } })),
});
const names = (objects: readonly KubeObject[]): readonly string[] =>
  objects.map(({ metadata }) => metadata.name);

test('a list is read page by page and its items get their kind', async (t) => {
  const { kube, close } = await serve((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    t.is(request.headers.authorization, 'Bearer secret');
    if (query.get('continue') === null)
      send(response, 200, list(['a', 'b'], { resourceVersion: '5', continue: 'next' }));
    else send(response, 200, list(['c'], { resourceVersion: '5' }));
  });
  const objects = await kube.list(services);
  t.deepEqual(names(objects), ['a', 'b', 'c']);
  t.is(objects[2]?.kind, 'Service');
  close();
});

test('I3: an answer that is no list is an error, not an empty list', async (t) => {
  const { kube, close } = await serve((_request, response) => send(response, 200, { items: [] }));
  await t.throwsAsync(kube.list(services), { instanceOf: MeshError });
  close();
});

const refusals: readonly (readonly [number, object, string, string])[] = [
  [401, {}, 'KUBE_UNAUTHORIZED', 'fatal'],
  [403, {}, 'KUBE_FORBIDDEN', 'fatal'],
  [
    403,
    { message: 'services "x" is forbidden: exceeded quota: q' },
    'KUBE_QUOTA_EXCEEDED',
    'retryable',
  ],
  [
    403,
    { details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    'KUBE_NAMESPACE_TERMINATING',
    'retryable',
  ],
  [
    400,
    { message: 'admission webhook "w" denied the request: no' },
    'KUBE_ADMISSION_REFUSED',
    'retryable',
  ],
  [
    422,
    {
      reason: 'Invalid',
      message:
        'services "x" is forbidden: ' +
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    },
    'KUBE_ADMISSION_REFUSED',
    'retryable',
  ],
  [404, { details: { kind: 'namespaces', name: 'n' } }, 'KUBE_NAMESPACE_MISSING', 'retryable'],
  [404, { details: { kind: 'services', name: 'x' } }, 'KUBE_NOT_FOUND', 'fatal'],
  [409, { reason: 'Conflict' }, 'KUBE_CONFLICT', 'conflict'],
  [409, { reason: 'AlreadyExists' }, 'KUBE_EXISTS', 'conflict'],
  [422, { reason: 'Invalid' }, 'KUBE_INVALID', 'fatal'],
  [429, {}, 'KUBE_THROTTLED', 'retryable'],
  [500, {}, 'KUBE_SERVER_ERROR', 'retryable'],
];
for (const [code, rest, expected, errorClass] of refusals) {
  test(`a refusal with ${code} ${JSON.stringify(rest)} is ${expected}`, async (t) => {
    const { kube, close } = await serve((_request, response) =>
      send(response, code, status(code, rest)),
    );
    const error = await t.throwsAsync(
      kube.apply(
        { ...services, namespace: 'n' },
        'x',
        {},
        { fieldManager: 'isthmus', force: true },
      ),
    );
    t.like(error, { code: expected, class: errorClass });
    close();
  });
}

test('writes go out as Kubernetes wants them', async (t) => {
  const seen: string[] = [];
  const { kube, close } = await serve((request, response, body) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? ''} ${body}`);
    send(response, 200, { metadata: { name: 'x' } });
  });
  const path = { ...services, namespace: 'n' };
  await kube.apply(path, 'x', { a: 1 }, { fieldManager: 'isthmus', force: true });
  await kube.jsonPatch(path, 'x', [{ op: 'remove', path: '/a' }], 'isthmus');
  await kube.mergePatch(path, 'x', { a: null }, 'isthmus');
  t.true(await kube.delete(path, 'x', { uid: 'u' }));
  t.deepEqual(seen, [
    'PATCH /api/v1/namespaces/n/services/x?fieldManager=isthmus&force=true application/apply-patch+yaml {"a":1}',
    'PATCH /api/v1/namespaces/n/services/x?fieldManager=isthmus application/json-patch+json [{"op":"remove","path":"/a"}]',
    'PATCH /api/v1/namespaces/n/services/x?fieldManager=isthmus application/merge-patch+json {"a":null}',
    'DELETE /api/v1/namespaces/n/services/x application/json {"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u"}}',
  ]);
  close();
});

test('get and delete of what is not there say so', async (t) => {
  const { kube, close } = await serve((_request, response) =>
    send(response, 404, status(404, { details: { kind: 'services' } })),
  );
  t.is(await kube.get({ ...services, namespace: 'n' }, 'x'), undefined);
  t.false(await kube.delete({ ...services, namespace: 'n' }, 'x', {}));
  close();
});

test('a server that is not there is KUBE_UNREACHABLE', async (t) => {
  const { kube, close } = await serve(() => undefined);
  close();
  t.like(await t.throwsAsync(kube.version()), { code: 'KUBE_UNREACHABLE', class: 'retryable' });
});

test('a server that takes the request and says nothing is KUBE_TIMEOUT after two seconds', async (t) => {
  const clock = createManualClock();
  let arrived: () => void = () => undefined;
  const arrival = new Promise<void>((resolve) => (arrived = resolve));
  const { kube, close } = await serve(() => arrived(), clock);
  const asked = kube.version();
  await arrival;
  await clock.advance(2_000);
  t.like(await t.throwsAsync(asked), { code: 'KUBE_TIMEOUT' });
  close();
});

/** Looks again with each turn of the event loop; ava's timeout is the deadline. */
const until = (condition: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (condition()) resolve();
      else systemClock.soon(look);
    };
    look();
  });

interface Seen {
  readonly lists: (readonly string[])[];
  readonly events: string[];
  readonly errors: string[];
}

/** A server whose every watch request is handed to `onWatch`; lists answer `a` at version 5. */
async function watching(
  onWatch: (response: ServerResponse, query: URLSearchParams, count: number) => void,
) {
  const seen: Seen = { lists: [], events: [], errors: [] };
  let count = 0;
  const { kube, close } = await serve((request, response) => {
    if (request.url === '/version') return send(response, 200, { gitVersion: 'v1.33.0' });
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    if (query.get('watch') !== 'true')
      return send(response, 200, list(['a'], { resourceVersion: '5' }));
    count += 1;
    response.writeHead(200);
    return onWatch(response, query, count);
  });
  kube.watch(services, {
    onList: (objects) => seen.lists.push(names(objects)),
    onEvent: (type, object) => seen.events.push(`${type} ${object.metadata.name}`),
    onError: (error) => seen.errors.push(error instanceof MeshError ? error.code : error.message),
  });
  return { kube, seen, close, done: until };
}
const event = (type: string, name: string, resourceVersion: string): string =>
  `${JSON.stringify({ type, object: { kind: 'Service', metadata: { name, namespace: 'n', resourceVersion } } })}\n`;

test('a watch goes on from the last version, bookmarks included, when the server ends it', async (t) => {
  const from: (string | null)[] = [];
  const { seen, close, done } = await watching((response, query, count) => {
    from.push(query.get('resourceVersion'));
    if (count === 1) response.end(event('ADDED', 'b', '6') + event('BOOKMARK', '', '9'));
    else response.write(event('DELETED', 'b', '10'));
  });
  await done(() => seen.events.length === 2);
  t.deepEqual(seen, { lists: [['a']], events: ['ADDED b', 'DELETED b'], errors: [] });
  t.deepEqual(from, ['5', '9']);
  close();
});

test('an event may come in pieces', async (t) => {
  const { seen, close, done } = await watching((response) => {
    const line = event('ADDED', 'b', '6');
    response.write(line.slice(0, 10), () => response.write(line.slice(10)));
  });
  await done(() => seen.events.length === 1);
  t.deepEqual(seen.events, ['ADDED b']);
  close();
});

test('410 Expired lists again', async (t) => {
  const { seen, close, done } = await watching((response, _query, count) => {
    if (count === 1)
      response.end(
        `${JSON.stringify({ type: 'ERROR', object: status(410, { reason: 'Expired' }) })}\n`,
      );
  });
  await done(() => seen.lists.length === 2);
  t.deepEqual(seen.errors, []);
  close();
});

test('garbage on a watch is an error, and the watch goes on after it', async (t) => {
  const { seen, close, done } = await watching((response, _query, count) => {
    if (count === 1) response.write('<html>\n');
    else response.write(event('ADDED', 'b', '6'));
  });
  await done(() => seen.events.length === 1);
  t.deepEqual(seen.errors, ['KUBE_SERVER_ERROR']);
  close();
});

test('when the server answers again after silence, a half-open watch is made anew', async (t) => {
  let away = false;
  let watches = 0;
  const { kube, close } = await serve((request, response) => {
    if (request.url === '/version')
      return away ? request.socket.destroy() : send(response, 200, { gitVersion: 'v1' });
    if (!(request.url ?? '').includes('watch=true'))
      return send(response, 200, list([], { resourceVersion: '1' }));
    watches += 1;
    response.writeHead(200);
    response.flushHeaders(); // and never a byte more: half open
  });
  kube.watch(services, {
    onList: () => undefined,
    onEvent: () => undefined,
    onError: () => undefined,
  });
  await until(() => watches === 1);
  await kube.version();
  away = true;
  await t.throwsAsync(kube.version());
  away = false;
  await kube.version();
  await until(() => watches === 2);
  t.is(watches, 2);
  close();
});
