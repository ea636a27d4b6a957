// Bad input over the real API and at the real door for agents: refused with a reason that says
// what to do, on both sides, and nothing is stored.

import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createCsr } from '../../common/runtime/pki.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import { makeJoinToken } from '../../demo/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { askRaw, type RawRequest } from '../support/raw-https.ts';
import { a, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const services = '/api/v1/namespaces/default/services';
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 1 });
  await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

interface Refused {
  readonly title: string;
  readonly service: object;
  /** All that kubectl prints. */
  readonly says: string;
}

const port = { name: 'http', port: 80 };
const refused: readonly Refused[] = [
  {
    title: 'a port out of range',
    service: toService('odd', { ports: [{ ...port, port: 99_999, targetPort: 80 }] }),
    says:
      'The Service "odd" is invalid: spec.ports[0].port: Invalid value: 99999: ' +
      'must be between 1 and 65535, inclusive',
  },
  {
    title: 'no ports',
    service: toService('odd', { ports: [] }),
    says: 'The Service "odd" is invalid: spec.ports: Required value',
  },
  {
    title: 'an unknown type',
    service: toService('odd', { ports: [port], type: 'Nope' }),
    says:
      'The Service "odd" is invalid: spec.type: Unsupported value: "Nope": supported values: ' +
      '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  },
  {
    title: 'two ports of one name',
    service: toService('odd', { ports: [port, { ...port, port: 81 }] }),
    says: 'The Service "odd" is invalid: spec.ports[1].name: Duplicate value: "http"',
  },
  {
    title: 'a name that is no DNS label',
    service: toService('9odd', { ports: [port] }),
    says:
      'The Service "9odd" is invalid: metadata.name: Invalid value: "9odd": a DNS-1035 label ' +
      "must consist of lower case alphanumeric characters or '-', start with an alphabetic " +
      "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex " +
      "used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  },
];

test.serial('the Service kubernetes leads to the API, and no cluster hears of it', async (t) => {
  const path = '{.subsets[0].addresses[0].ip}:{.subsets[0].ports[0].port}';
  const ask = (...args: readonly string[]) => mesh.kubectl(federated, ['get', ...args]);
  const where = await ask('endpoints', 'kubernetes', '-o', `jsonpath=https://${path}`);
  t.true(readFileSync(kubeconfigOfFederation(), 'utf8').includes(where), where);
  const columns = /^kubernetes +ClusterIP +198\.18\.0\.1 +<none> +443\/TCP /;
  t.regex(await ask('service', 'kubernetes', '--no-headers'), columns);
  t.notRegex(await ask('serviceshards,dnsrecordsets', '-o', 'name'), /kubernetes/);
});

for (const { title, service, says } of refused) {
  test.serial(`422 as kubectl prints it: ${title}`, async (t) => {
    const { code, errors } = await mesh.tryKubectl(['create', '-f', '-'], JSON.stringify(service));
    t.is(errors.trim(), says);
    t.is(code, 1);
    t.is(await namesOfServices(), 'service/nginx', 'nothing is stored');
  });
}

test.serial(
  'unknown kinds, fields and selectors are refused as by a real API server',
  async (t) => {
    const gadget = { apiVersion: 'v1', kind: 'Gadget', metadata: { name: 'g' } };
    t.regex(
      (await mesh.tryKubectl(['create', '-f', '-'], JSON.stringify(gadget))).errors,
      /no matches for kind "Gadget" in version "v1"/,
    );
    t.regex(
      (await mesh.tryKubectl(['get', 'gadgets'])).errors,
      /the server doesn't have a resource type "gadgets"/,
    );
    const typo = JSON.stringify(toService('odd', { ports: [port], prots: [] }));
    t.regex(
      (await mesh.tryKubectl(['create', '--validate=strict', '-f', '-'], typo)).errors,
      /strict decoding error: unknown field "spec.prots"/,
    );
    t.regex(
      (await mesh.tryKubectl(['get', 'svc', '--field-selector=bogus=1'])).errors,
      /BadRequest.*field label not supported: bogus/s,
    );
    t.is(await namesOfServices(), 'service/nginx');
  },
);

const raw: readonly (RawRequest & { readonly title: string; readonly wants: string })[] = [
  {
    title: 'unknown resource',
    path: '/api/v1/gadgets',
    wants: '404 NotFound the server could not find the requested resource',
  },
  {
    title: 'label selector that does not parse',
    path: `${services}?labelSelector=${encodeURIComponent('a in (')}`,
    wants: '400 BadRequest',
  },
  {
    title: 'patch of an unknown type',
    method: 'PATCH',
    path: `${services}/nginx`,
    headers: { 'content-type': 'text/plain' },
    body: '{}',
    wants: '415 UnsupportedMediaType',
  },
  {
    title: 'body that is no JSON',
    method: 'POST',
    path: services,
    headers: { 'content-type': 'application/json' },
    body: '{"apiVersion":',
    wants: '400 BadRequest',
  },
  {
    title: 'JSON patch that tests for another value',
    method: 'PATCH',
    path: `${services}/nginx`,
    headers: { 'content-type': 'application/json-patch+json' },
    body: '[{"op":"test","path":"/metadata/name","value":"other"}]',
    wants: '422 Invalid',
  },
  {
    title: 'update of an old resourceVersion',
    method: 'PUT',
    path: `${services}/nginx`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(toService('nginx', { ports: [port] }, { resourceVersion: '1' })),
    wants: '409 Conflict',
  },
  {
    title: 'prototype pollution',
    method: 'PATCH',
    path: `${services}/nginx`,
    headers: { 'content-type': 'application/json-patch+json' },
    body: '[{"op":"add","path":"/__proto__/polluted","value":"yes"}]',
    wants: '422 Invalid',
  },
];

for (const { title, wants, ...request } of raw) {
  test.serial(`a Status for: ${title}`, async (t) => {
    const { status, body } = await askRaw(kubeconfigOfFederation(), request);
    const { kind, reason, message, code } = JSON.parse(body) as Status;
    t.is(kind, 'Status');
    t.is(code, status);
    t.is(`${status} ${reason} ${message}`.slice(0, wants.length), wants);
    t.is(await namesOfServices(), 'service/nginx');
  });
}

test.serial('who sends far too much hears so, and is not cut off before', async (t) => {
  const headers = { 'content-type': 'application/json' };
  const body = Buffer.alloc(8 << 20, 0x20);
  for (let round = 0; round < 10; round += 1) {
    const asked = { method: 'POST', path: services, headers, body };
    const answer = await askRaw(kubeconfigOfFederation(), asked);
    t.is(answer.status, 413);
    t.regex(answer.body, /RequestEntityTooLarge/);
  }
});

test.serial('a wrong token is refused, and the log of both sides says so', async (t) => {
  const { token } = await makeJoinToken(mesh.kube(), 'stranger');
  const [, , name = '', , pin = ''] = token.split('.');
  const wrong = `isthmus.v1.${name}.${'x'.repeat(43)}.${pin}`;
  const agent = mesh.startAgent({ id: 'wrong', member: a, cluster: 'stranger', token: wrong });
  await eventually(15_000, () => says(agent.log(), 'cannot join the federation', 'TokenUnknown'));
  await eventually(5_000, () => says(mesh.logOf('coordinator'), 'TokenUnknown', 'stranger'));
  await eventually(5_000, () => eventOf(name, 'TokenUnknown'));
  await agent.end();
  t.is((await clusterNames()).includes('stranger'), false);
  t.false(agent.log().includes('x'.repeat(43)), 'I9 no secret in a log');
  t.false(mesh.logOf('coordinator').includes('x'.repeat(43)));
});

test.serial('a token of another federation is refused before it leaves the machine', async (t) => {
  const { token, name } = await makeJoinToken(mesh.kube(), 'stranger');
  const other = `${token.slice(0, -32)}${'0'.repeat(32)}`;
  const agent = mesh.startAgent({ id: 'pin', member: a, cluster: 'stranger', token: other });
  await eventually(15_000, () => says(agent.log(), 'another CA', 'somebody in between'));
  await agent.end();
  t.deepEqual(await eventsOf(name), []);
});

test.serial('an expired token is refused with an Event on it', async (t) => {
  const { token, name } = await makeJoinToken(mesh.kube(), 'late');
  const status = { status: { expirationTimestamp: '2020-01-01T00:00:00Z' } };
  const patch = ['patch', 'jointoken', name, '--subresource=status', '--type=merge', '-p'];
  await mesh.kubectl(federated, [...patch, JSON.stringify(status)]);
  const agent = mesh.startAgent({ id: 'late', member: a, cluster: 'late', token });
  await eventually(15_000, () => says(agent.log(), 'has expired; make a new one'));
  await eventually(5_000, () => eventOf(name, 'TokenExpired'));
  await agent.end();
  const described = await mesh.kubectl(federated, ['describe', 'jointoken', name]);
  t.regex(described, /Warning\s+TokenExpired/);
});

test.serial('a used token with another key is refused; its first user stays', async (t) => {
  const { token, name } = await makeJoinToken(mesh.kube(), 'one');
  const first = mesh.startAgent({ id: 'first', member: a, cluster: 'one', token });
  await eventually(15_000, () => says(first.log(), 'session open'));
  const second = mesh.startAgent({ id: 'second', member: a, cluster: 'one', token });
  await eventually(15_000, () => says(second.log(), 'was used by one with another key'));
  await eventually(5_000, () => eventOf(name, 'TokenUsed'));
  t.false(first.log().includes('Superseded'));
  await second.end();
  await first.end();
});

test.serial(
  'a name that is taken is refused; only a token for that name replaces it',
  async (t) => {
    const { name, token } = await makeAnyToken();
    const agent = mesh.startAgent({ id: 'taken', member: a, cluster: a, token });
    await eventually(15_000, () => says(agent.log(), 'has joined with another key'));
    await eventually(5_000, () => eventOf(name, 'NameTaken'));
    await agent.end();
    t.pass();
  },
);

test.serial('a cluster name that is no DNS label: refused at both ends', async (t) => {
  const args = ['dist/agent/main.js', '--cluster=Not_A_Label', `--coordinator=${mesh.at('mesh')}`];
  const ran = await runProgram(process.execPath, args, { env: {} });
  t.is(ran.code, 2);
  t.regex(ran.errors, /--cluster is needed: a DNS label/);
  const { name, token } = await makeAnyToken();
  const [host = '', meshPort = ''] = mesh.at('mesh').split(':');
  const dialer = createGrpcDialer({ coordinator: { host, port: Number(meshPort) }, clock });
  const { csrDer } = await createCsr({ commonName: 'x' });
  for (const cluster of ['Not_A_Label', '', 'a.b', 'x'.repeat(64), '../../etc', 'a\u0000b']) {
    const request = { cluster, token, csrDer, agentVersion: '0' };
    const error = await t.throwsAsync(
      dialer.join(request, (await dialer.fetchCa('none', 5_000))[0] ?? '', 5_000),
    );
    t.regex(error?.message ?? '', /is not a DNS label/, cluster);
  }
  await eventually(5_000, () => eventOf(name, 'InvalidClusterName'));
  t.deepEqual([...(await clusterNames())].sort(), [a, 'one'].sort());
});

interface Status {
  readonly kind: string;
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

function toService(name: string, spec: object, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, ...metadata }, spec };
}

function kubeconfigOfFederation(): string {
  return joinPath(mesh.layout.coordinatorDir, 'admin.kubeconfig');
}

async function namesOfServices(): Promise<string> {
  const names = await mesh.kubectl(federated, ['get', 'services', '-o', 'name']);
  return names.replace('service/kubernetes\n', '').trim();
}

async function clusterNames(): Promise<readonly string[]> {
  const text = await mesh.kubectl(federated, ['get', 'clusters', '-o', 'name']);
  return text
    .trim()
    .split('\n')
    .map((line) => line.replace('cluster.isthmus.dev/', ''));
}

/** A token that any free name may use. */
async function makeAnyToken(): Promise<{ readonly name: string; readonly token: string }> {
  const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'JoinToken' };
  const manifest = JSON.stringify({ ...object, metadata: { generateName: 'any-' } });
  const text = await mesh.kubectl(federated, ['create', '-f', '-', '-o', 'json'], manifest);
  const made = JSON.parse(text) as { metadata: { name: string }; status: { token: string } };
  return { name: made.metadata.name, token: made.status.token };
}

async function says(log: string, ...words: readonly string[]): Promise<readonly string[]> {
  const isSaid = log.split('\n').some((line) => words.every((word) => line.includes(word)));
  return Promise.resolve(isSaid ? [] : [`no line with ${words.join(' and ')}: ${log.slice(-800)}`]);
}

async function eventsOf(token: string): Promise<readonly string[]> {
  const selector = `--field-selector=involvedObject.kind=JoinToken,involvedObject.name=${token}`;
  const columns = 'custom-columns=R:.reason';
  const text = await mesh.kubectl(federated, [
    'get',
    'events',
    '-A',
    '--no-headers',
    selector,
    '-o',
    columns,
  ]);
  return text.trim() === '' ? [] : text.trim().split('\n');
}

async function eventOf(token: string, reason: string): Promise<readonly string[]> {
  const reasons = await eventsOf(token);
  return reasons.includes(reason) ? [] : [`events of ${token}: ${reasons.join(', ')}`];
}
