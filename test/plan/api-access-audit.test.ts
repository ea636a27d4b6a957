// The audit log: who did what in whose name, as much of it as the policy says, and never a secret.

import test from 'ava';
import type { JsonObject } from '../../common/model/kube-object.ts';
import {
  chooseAudit,
  defaultAuditPolicy,
  parseAuditPolicy,
  type AuditPolicy,
} from '../../coordinator/api/machinery/access/audit-policy.ts';
import type { Attributes } from '../../coordinator/api/machinery/access/access.ts';
import type { ApiOptions } from '../../coordinator/api/machinery/api.ts';
import { unauthorized } from '../../coordinator/api/machinery/answer/status-error.ts';
import { parseYamlBody } from '../../coordinator/api/machinery/schema/yaml-body.ts';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

interface Audited extends AccessApi {
  readonly events: readonly JsonObject[];
}

async function start(
  t: { teardown(run: () => Promise<void>): void },
  policy: AuditPolicy = defaultAuditPolicy,
  more: Pick<Partial<ApiOptions>, 'readYaml'> = {},
): Promise<Audited> {
  const events: JsonObject[] = [];
  const sink = { write: (event: JsonObject) => void events.push(event) };
  const access = await startAccessApi({ more: { ...more, audit: { policy, sink } } });
  t.teardown(() => access.close());
  return { ...access, events };
}

function policy(...rules: readonly object[]): AuditPolicy {
  const parsed = parseAuditPolicy({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules });
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const everything = policy({ level: 'RequestResponse', omitStages: ['RequestReceived'] });
const service = { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } };

test('[k8s 121] each request leaves one line with who, what, whence and what came of it', async (t) => {
  const { ask, events } = await start(t);
  const answer = await ask(root, 'POST', `${paths.services}?dryRun=All`, service, {
    headers: { 'audit-id': 'my-own-id', 'user-agent': 'curl/8', 'x-forwarded-for': '10.1.2.3' },
    remoteAddress: '::ffff:127.0.0.1',
  });
  t.is(answer.headers['audit-id'], 'my-own-id');
  t.is(events.length, 1);
  const { requestReceivedTimestamp, stageTimestamp, ...event } = events[0] ?? {};
  t.regex(String(requestReceivedTimestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  t.regex(String(stageTimestamp), /\.\d{6}Z$/);
  t.deepEqual(event, {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: 'my-own-id',
    stage: 'ResponseComplete',
    requestURI: `${paths.services}?dryRun=All`,
    verb: 'create',
    user: { username: 'root', groups: ['system:masters', 'system:authenticated'] },
    sourceIPs: ['10.1.2.3', '127.0.0.1'],
    userAgent: 'curl/8',
    objectRef: { resource: 'services', namespace: 'shop', apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 201 },
    annotations: {
      'authorization.k8s.io/decision': 'allow',
      'authorization.k8s.io/reason': '',
    },
  });
});

test('[k8s 121] refusals and impersonations are told as such', async (t) => {
  const { ask, api, events } = await start(t);
  await ask(user('bob'), 'DELETE', `${paths.services}/web`);
  t.like(events[0], {
    verb: 'delete',
    objectRef: { resource: 'services', namespace: 'shop', name: 'web' },
    responseStatus: { status: 'Failure', reason: 'Forbidden', code: 403 },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  });
  await ask(root, 'GET', '/version', undefined, { headers: { 'impersonate-user': 'carol' } });
  t.like(events[1], {
    user: { username: 'root' },
    impersonatedUser: { username: 'carol', groups: ['system:authenticated'] },
    responseStatus: { code: 200 },
  });
  t.is(events[1]?.['objectRef'], undefined);
  const head = { method: 'GET', target: '/api', headers: { authorization: 'Bearer hush-hush' } };
  t.is(api.refuse(head, unauthorized()).status, 401);
  t.like(events[2], {
    user: {},
    responseStatus: { code: 401, message: 'Authentication failed, attempted: bearer' },
  });
  t.false(JSON.stringify(events).includes('hush-hush'));
});

test('[k8s 121] bodies are kept where the policy asks for them', async (t) => {
  const { ask, events } = await start(t, everything);
  await ask(root, 'POST', paths.services, service);
  t.like(events[0], {
    level: 'RequestResponse',
    requestObject: { spec: { ports: [{ port: 80 }] } },
    responseObject: { kind: 'Service', spec: { type: 'ClusterIP' } },
    objectRef: { name: 'web' },
  });
  await ask(
    root,
    'PATCH',
    `${paths.services}/web`,
    { metadata: { labels: { a: 'b' } } },
    {
      headers: { 'content-type': 'application/merge-patch+json' },
    },
  );
  t.deepEqual(events[1]?.['requestObject'], { metadata: { labels: { a: 'b' } } });
});

test('[k8s 121] long YAML is kept too, read once, and one that is refused unread is named so', async (t) => {
  let texts = 0;
  const readYaml = (text: string) => {
    texts += 1;
    return Promise.resolve(parseYamlBody(text));
  };
  const { ask, events } = await start(t, everything, { readYaml });
  const labels = Array.from({ length: 100 }, (_, index) => `    l${index}: x`).join('\n');
  const yaml = `metadata:\n  name: web\n  labels:\n${labels}\nspec: {ports: [{port: 80}]}\n`;
  const headers = { 'content-type': 'application/yaml' };
  await ask(root, 'POST', paths.services, Buffer.from(yaml), { headers });
  t.is(texts, 1);
  t.like(events[0], {
    responseStatus: { code: 201 },
    requestObject: { spec: { ports: [{ port: 80 }] } },
  });
  t.false(JSON.stringify(events[0]).includes('not read'));
  await ask(user('mallory'), 'POST', paths.services, Buffer.from(yaml), { headers });
  t.is(texts, 1);
  t.is(events[1]?.['requestObject'], undefined);
  t.like(events[1], {
    responseStatus: { code: 403 },
    annotations: { 'audit.isthmus.dev/omitted': 'request whose YAML was not read' },
  });
});

test('I9 [k8s 121] what is in Secrets, join tokens and token reviews is in no line', async (t) => {
  const { ask, events } = await start(t, everything);
  const hush = { 'content-type': 'application/strategic-merge-patch+json' };
  const secret = { metadata: { name: 's' }, stringData: { key: 'hush-hush' } };
  const secrets = '/api/v1/namespaces/shop/secrets';
  await ask(root, 'POST', secrets, secret);
  await ask(root, 'GET', secrets);
  await ask(root, 'PATCH', `${secrets}/s`, { data: 'hush-hush' }, { headers: hush });
  for (const path of [`${secrets}/s/wrong`, '/api/v2/namespaces/shop/secrets']) {
    await ask(root, 'PUT', path, secret);
  }
  const token = await ask(root, 'POST', '/apis/isthmus.dev/v1alpha1/jointokens', {
    metadata: { name: 'j' },
  });
  const shown = (token.json['status'] as { token: string }).token;
  await ask(root, 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    spec: { token: 'hush-hush' },
  });
  const text = JSON.stringify(events);
  t.is(events.length, 7);
  t.false(text.includes('hush-hush'));
  t.false(text.includes(Buffer.from('hush-hush').toString('base64')));
  t.false(text.includes(shown));
});

test('[k8s 121] a watch is told when it begins and when it ends', async (t) => {
  const { ask, events } = await start(t);
  const gone = new AbortController();
  await ask(root, 'GET', `${paths.services}?watch=true`, undefined, { signal: gone.signal });
  t.deepEqual(
    events.map((event) => event['stage']),
    ['ResponseStarted'],
  );
  gone.abort();
  t.deepEqual(
    events.map((event) => event['stage']),
    ['ResponseStarted', 'ResponseComplete'],
  );
  t.is(events[0]?.['auditID'], events[1]?.['auditID']);
});

test('[k8s 121] the first rule that matches decides, and without one nothing is written', (t) => {
  const asked: Attributes = {
    user: user('bob', 'dev'),
    verb: 'get',
    isResource: true,
    group: '',
    version: 'v1',
    resource: 'services',
    subresource: 'status',
    namespace: 'shop',
    name: 'web',
    path: '',
  };
  const levelOf = (rule: object, more: Partial<Attributes> = {}) =>
    chooseAudit(policy({ level: 'Request', ...rule }), { ...asked, ...more }).level;
  const resource = (resources: readonly string[], more: object = {}) => ({
    resources: [{ group: '', resources, ...more }],
  });
  t.is(levelOf({}), 'Request');
  t.is(levelOf({ users: ['carol'] }), 'None');
  t.is(levelOf({ userGroups: ['dev'] }), 'Request');
  t.is(levelOf({ verbs: ['list'] }), 'None');
  t.is(levelOf({ namespaces: ['shop'] }), 'Request');
  t.is(levelOf({ namespaces: [''] }), 'None');
  t.is(levelOf(resource(['services'])), 'None', 'a subresource is named by itself');
  t.is(levelOf(resource(['services/status'])), 'Request');
  t.is(levelOf(resource(['services/*'])), 'Request');
  t.is(levelOf(resource(['*/status'])), 'Request');
  t.is(levelOf(resource(['*'])), 'Request');
  t.is(levelOf(resource(['*'], { resourceNames: ['other'] })), 'None');
  t.is(levelOf({ resources: [{ group: 'apps' }] }), 'None');
  t.is(levelOf({ nonResourceURLs: ['/x'] }), 'None');
  const path = { isResource: false, path: '/healthz/ping', resource: '' };
  t.is(levelOf({ nonResourceURLs: ['/healthz*'] }, path), 'Request');
  t.is(levelOf(resource(['*']), path), 'None');
});

test('[k8s 121] a policy that says nothing sensible is refused by its field', (t) => {
  const parse = (rule: object) =>
    parseAuditPolicy({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [rule] });
  const odd = parse({ level: 'None', users: [{ toString: {} }] });
  t.regex(String(odd), /^rules\[0\]\.users: not a list of texts/);
  t.regex(String(parse({ level: 'All' })), /^rules\[0\]\.level: "All" is none of None, Metadata/);
  t.regex(String(parse({ level: 'None', omitStages: ['x'] })), /^rules\[0\]\.omitStages/);
  t.regex(String(parse({ level: 'None', nonResourceURLs: ['x'] })), /must begin with \//);
  t.regex(String(parseAuditPolicy({ rules: [] })), /^apiVersion must be audit.k8s.io\/v1/);
});

test('[k8s 121] managed fields are left out where the policy says so', async (t) => {
  const rule = {
    level: 'RequestResponse',
    omitManagedFields: true,
    omitStages: ['RequestReceived'],
  };
  const { ask, make, events } = await start(t, policy(rule));
  await make(paths.roleBindings, bind('b', { role: 'view', user: 'bob' }));
  await ask(root, 'GET', paths.roleBindings);
  t.true(events.length >= 2);
  t.false(JSON.stringify(events).includes('managedFields'));
});

test('[k8s 121] a large body is told of by its size alone', async (t) => {
  const { ask, events } = await start(t, everything);
  const data = { big: 'x'.repeat(300 * 1024) };
  await ask(root, 'POST', '/api/v1/namespaces/shop/configmaps', { metadata: { name: 'c' }, data });
  const { requestObject, responseObject, annotations } = events[0] ?? {};
  t.deepEqual([requestObject, responseObject], [undefined, undefined]);
  t.regex(JSON.stringify(annotations), /"audit.isthmus.dev\/omitted":"response of \d+ bytes"/);
});
