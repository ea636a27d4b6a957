import test from 'ava';
import type { Json, KubeObject } from '../../common/model/kube-object.ts';
import {
  applyServerSide,
  trackUpdate,
} from '../../coordinator/api/machinery/apply/managed-fields.ts';
import { applyJsonPatch } from '../../coordinator/api/machinery/patch/json-patch.ts';
import { decodePatched } from '../../coordinator/api/machinery/patch/patched.ts';
import { toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';
import {
  decode,
  kindNamed,
  refusal,
  service,
  serviceKind,
  toBytes,
} from '../support/api-service.ts';

const early = '2026-01-01T00:00:00Z';
const late = '2026-01-02T00:00:00Z';

interface Options {
  readonly force?: boolean;
  readonly subresource?: '' | 'status';
  readonly time?: string;
}

function apply(
  live: KubeObject | undefined,
  manager: string,
  body: Readonly<Record<string, unknown>>,
  options: Options = {},
) {
  const metadata = { name: 'nginx', namespace: 'default', ...Object(body['metadata']) };
  return applyServerSide({
    kind: serviceKind,
    live,
    bytes: toBytes({ apiVersion: 'v1', kind: 'Service', ...body, metadata }),
    manager,
    force: options.force ?? false,
    subresource: options.subresource ?? '',
    time: options.time ?? early,
  });
}

function update(
  old: KubeObject | undefined,
  next: KubeObject,
  manager: string,
  options: Options = {},
) {
  const { subresource = '', time = early } = options;
  return trackUpdate({ kind: serviceKind, old, next, manager, subresource, time });
}

const managersOf = (object: KubeObject): readonly string[] =>
  (object.metadata.managedFields ?? []).map(
    (entry) => `${String(entry['manager'])} ${String(entry['operation'])}`,
  );
const fieldsOf = (object: KubeObject, manager: string): Json | undefined =>
  (object.metadata.managedFields ?? []).find((entry) => entry['manager'] === manager)?.['fieldsV1'];
const specOf = (object: KubeObject): Readonly<Record<string, Json>> =>
  ({ ...object.spec }) as Readonly<Record<string, Json>>;

const web = { spec: { selector: { app: 'a' }, ports: [{ port: 80 }] } };

test('[k8s 94, 98] apply creates; ports are keyed by port and protocol, the selector is one field', (t) => {
  const object = apply(undefined, 'm1', web);
  t.is(object.metadata.name, 'nginx');
  t.deepEqual(object.metadata.managedFields, [
    {
      manager: 'm1',
      operation: 'Apply',
      apiVersion: 'v1',
      time: early,
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:spec': {
          'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } },
          'f:selector': {},
        },
      },
    },
  ]);
});

test('[k8s 94] A1. applying the same again returns the live object, time and all', (t) => {
  const object = apply(undefined, 'm1', web);
  t.is(apply(object, 'm1', web, { time: late }), object);
  t.not(apply(object, 'm1', { ...web, metadata: { labels: { a: '1' } } }, { time: late }), object);
});

test('[k8s 95, 97] A3. a different value of another owner is a conflict that names owner and field', (t) => {
  const object = apply(undefined, 'm1', { ...web, metadata: { labels: { x: '1' } } });
  const other = { metadata: { labels: { x: '2' } }, spec: { selector: { app: 'b' } } };
  const status = refusal(() => apply(object, 'm2', other));
  t.is(status.code, 409);
  t.is(
    status.message,
    'Apply failed with 2 conflicts: conflicts with "m1":\n- .metadata.labels.x\n- .spec.selector',
  );
  t.deepEqual(status.details?.causes?.[0], {
    reason: 'FieldManagerConflict',
    message: 'conflict with "m1"',
    field: '.metadata.labels.x',
  });
  const forced = apply(object, 'm2', other, { force: true });
  t.deepEqual(forced.metadata.labels, { x: '2' });
  t.deepEqual(fieldsOf(forced, 'm1'), {
    'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
  });
});

test('[k8s 95] a single conflict with an updater tells its version; ports are named by their keys', (t) => {
  const object = update(undefined, service({ ports: [{ port: 80, name: 'http' }] }), 'editor');
  const status = refusal(() =>
    apply(object, 'm1', { spec: { ports: [{ port: 80, name: 'web' }] } }),
  );
  t.is(
    status.message,
    'Apply failed with 1 conflict: conflict with "editor" using v1: ' +
      '.spec.ports[port=80,protocol="TCP"].name',
  );
});

test('[k8s 95, 96] A2. equal values are shared; a field goes with its last owner', (t) => {
  const labels = { metadata: { labels: { x: '1' } } };
  const shared = apply(apply(undefined, 'm1', { ...web, ...labels }), 'm2', labels);
  const left = apply(shared, 'm1', web);
  t.deepEqual(left.metadata.labels, { x: '1' });
  const gone = apply(left, 'm2', {});
  t.is(gone.metadata.labels, undefined);
  t.deepEqual(managersOf(gone), ['m1 Apply']);
});

test('[k8s 96] A2. a port goes when its last owner gives it up; the others keep theirs', (t) => {
  const both = apply(apply(undefined, 'm1', web), 'm2', {
    spec: {
      ports: [
        { port: 443, name: 'tls' },
        { port: 80, name: 'http' },
      ],
    },
  });
  const one = apply(both, 'm2', { spec: { ports: [{ port: 443, name: 'tls' }] } });
  t.like(specOf(one), {
    ports: [
      { name: 'tls', port: 443 },
      { port: 80, protocol: 'TCP', targetPort: 80 },
    ],
  });
  t.like(specOf(apply(one, 'm1', { spec: { selector: { app: 'a' } } })), {
    ports: [{ name: 'tls', port: 443 }],
  });
});

test('[k8s 96] A2. an item goes with the last who applied its keys, also what an updater held', (t) => {
  const first = apply(undefined, 'm1', { spec: { ports: [{ port: 80, appProtocol: 'h2' }] } });
  const named = service({ ports: [{ port: 80, name: 'http', appProtocol: 'h2' }] });
  const second = update(first, { ...named, metadata: first.metadata }, 'editor', { time: late });
  const left = apply(second, 'm1', { spec: { externalName: 'x.y', selector: { a: 'b' } } });
  t.is(specOf(left)['ports'], undefined);
  t.deepEqual(managersOf(left), ['m1 Apply']);
});

test('[k8s 98] 80/TCP and 80/UDP are two ports; a missing protocol is TCP; the same twice is 500', (t) => {
  const object = apply(undefined, 'm1', {
    spec: {
      ports: [
        { port: 53, name: 'a' },
        { port: 53, name: 'b', protocol: 'UDP' },
      ],
    },
  });
  t.like(specOf(object), { ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }] });
  const twice = { spec: { ports: [{ port: 80 }, { port: 80, protocol: 'TCP' }] } };
  const status = refusal(() => apply(undefined, 'm1', twice));
  t.is(status.code, 500);
  t.is(
    status.message,
    'failed to create typed patch object (default/nginx; /v1, Kind=Service): .spec.ports: ' +
      'duplicate entries for key [port=80,protocol="TCP"]',
  );
});

for (const [title, body, code, message] of [
  ['an unknown field', { spec: { foo: 1 } }, 500, /\.spec\.foo: field not declared in schema$/],
  ['a wrong type', { spec: { ports: {} } }, 500, /\.spec\.ports: expected list, got &\{map\[\]\}$/],
  ['no type', { kind: '', apiVersion: '' }, 400, /^invalid object type: \/, Kind=$/],
  [
    'managedFields',
    { metadata: { managedFields: [] } },
    400,
    /^metadata.managedFields must be nil$/,
  ],
] as const) {
  test(`[k8s 99] apply refuses ${title}`, (t) => {
    const status = refusal(() => apply(undefined, 'm1', body));
    t.is(status.code, code);
    t.regex(status.message, message);
  });
}

test('[k8s 100] a create owns what it sent and the defaults, not what the server allocates later', (t) => {
  const object = update(
    undefined,
    service({ ports: [{ port: 80 }] }, { labels: { a: 'b' } }),
    'kubectl',
  );
  t.deepEqual(fieldsOf(object, 'kubectl'), {
    'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
    'f:spec': {
      'f:internalTrafficPolicy': {},
      'f:ports': {
        '.': {},
        'k:{"port":80,"protocol":"TCP"}': {
          '.': {},
          'f:port': {},
          'f:protocol': {},
          'f:targetPort': {},
        },
      },
      'f:sessionAffinity': {},
      'f:type': {},
    },
  });
});

test('[k8s 100] an update takes what it changes, loses what it removes, and keeps time when it does nothing', (t) => {
  const created = update(
    undefined,
    service({ ports: [{ port: 80 }] }, { labels: { a: '1', b: '1' } }),
    'one',
  );
  const unchanged = update(created, created, 'two', { time: late });
  t.deepEqual(unchanged, created);
  const { metadata } = created;
  const next = { ...created, metadata: { ...metadata, labels: { b: '2', c: '1' } } };
  const updated = update(created, next, 'two', { time: late });
  t.deepEqual(managersOf(updated), ['one Update', 'two Update']);
  t.deepEqual(fieldsOf(updated, 'two'), { 'f:metadata': { 'f:labels': { 'f:b': {}, 'f:c': {} } } });
  t.like(fieldsOf(updated, 'one'), { 'f:metadata': { 'f:labels': {} } });
  t.false(JSON.stringify(fieldsOf(updated, 'one')).includes('f:a'));
});

test('[k8s 100] owners are told with those who applied first, then by their second, then by name', (t) => {
  const label = (name: string) => ({ metadata: { labels: { [name]: '1' } } });
  const withLabel = (live: KubeObject, name: string, manager: string, time: string) => {
    const labels = { ...live.metadata.labels, [name]: '1' };
    const next = { ...live, metadata: { ...live.metadata, labels } };
    return update(live, next, manager, { time });
  };
  const created = update(undefined, service({ ports: [{ port: 80 }] }), 'm', { time: late });
  const byOther = withLabel(created, 'z', 'z', early);
  const byThird = withLabel(byOther, 'b', 'b', late);
  const applied = apply(byThird, 'y', label('y'), { time: early });
  const twice = apply(applied, 'x', label('x'), { time: late });
  t.deepEqual(managersOf(twice), ['y Apply', 'x Apply', 'z Update', 'b Update', 'm Update']);
});

test('[k8s 101] the status endpoint owns status and metadata only, and each endpoint ignores the other', (t) => {
  const created = update(
    undefined,
    service({ type: 'LoadBalancer', ports: [{ port: 80 }] }),
    'one',
  );
  const applied = apply(
    created,
    'lb',
    { spec: { type: 'NodePort' }, status: { loadBalancer: { ingress: [{ hostname: 'a.b' }] } } },
    { subresource: 'status', time: late },
  );
  const entry = applied.metadata.managedFields?.find(({ manager }) => manager === 'lb');
  t.deepEqual(entry, {
    manager: 'lb',
    operation: 'Apply',
    apiVersion: 'v1',
    time: late,
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:status': { 'f:loadBalancer': { 'f:ingress': {} } } },
    subresource: 'status',
  });
  t.like(fieldsOf(applied, 'one'), { 'f:spec': { 'f:type': {} } });
  const main = apply(created, 'm', { status: { loadBalancer: { ingress: [{ ip: '9.9.9.9' }] } } });
  t.deepEqual(managersOf(main), ['one Update']);
});

test('[k8s 102] emptied managedFields stay empty until an apply, which first protects what is there', (t) => {
  const created = update(
    undefined,
    service({ ports: [{ port: 80 }] }, { labels: { a: '1' } }),
    'one',
  );
  for (const managedFields of [[], [{}]]) {
    const reset = update(
      created,
      { ...created, metadata: { ...created.metadata, managedFields } },
      'two',
    );
    t.is(reset.metadata.managedFields, undefined);
    const edited = { ...reset, metadata: { ...reset.metadata, labels: { a: '2' } } };
    t.is(update(reset, edited, 'two').metadata.managedFields, undefined);
    const applied = apply(reset, 'm1', { metadata: { labels: { b: '1' } } });
    t.deepEqual(managersOf(applied), ['m1 Apply', 'before-first-apply Update']);
    t.deepEqual(applied.metadata.labels, { a: '1', b: '1' });
  }
});

test('[k8s 102] kubectl moves client-side ownership by a JSON patch on managedFields', (t) => {
  const created = update(
    undefined,
    service({ ports: [{ port: 80 }] }),
    'kubectl-client-side-apply',
  );
  const [entry] = created.metadata.managedFields ?? [];
  const value = [{ ...entry, manager: 'kubectl', operation: 'Apply' }];
  const patch = [{ op: 'replace', path: '/metadata/managedFields', value }];
  const patched = applyJsonPatch({
    kind: serviceKind,
    object: toJsonObject(created),
    bytes: toBytes(patch),
    validation: 'Strict',
  });
  const moved = update(created, decodePatched(serviceKind, patched, 'Strict').object, 'kubectl');
  t.deepEqual(managersOf(moved), ['kubectl Apply']);
  const applied = apply(moved, 'kubectl', { spec: { ports: [{ port: 81 }] } });
  t.like(specOf(applied), { ports: [{ port: 81 }] });
});

test('[k8s 102] the oldest of more than ten updaters are merged', (t) => {
  let object = update(undefined, service({ ports: [{ port: 80 }] }), 'm00');
  for (let at = 1; at < 14; at += 1) {
    const labels = { ...object.metadata.labels, [`l${at}`]: 'x' };
    const next = { ...object, metadata: { ...object.metadata, labels } };
    const time = `2026-01-01T00:00:${String(at).padStart(2, '0')}Z`;
    object = update(object, next, `m${String(at).padStart(2, '0')}`, { time });
  }
  t.is(object.metadata.managedFields?.length, 10);
  t.true(managersOf(object).includes('ancient-changes Update'));
  t.like(fieldsOf(object, 'ancient-changes'), { 'f:metadata': { 'f:labels': { 'f:l1': {} } } });
});

test('finalizers are a set: each manager holds its own', (t) => {
  const one = apply(undefined, 'm1', { ...web, metadata: { finalizers: ['x.io/1'] } });
  const two = apply(one, 'm2', { metadata: { finalizers: ['x.io/2'] } });
  t.deepEqual([...(two.metadata.finalizers ?? [])].sort(), ['x.io/1', 'x.io/2']);
  t.deepEqual(apply(two, 'm1', web).metadata.finalizers, ['x.io/2']);
});

test('apply reads YAML, and a ConfigMap is owned key by key', (t) => {
  const kind = kindNamed('ConfigMap');
  const at = {
    kind,
    force: false,
    subresource: '',
    time: early,
  } as const;
  const yaml = (data: string) =>
    toBytes(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: ${data}\n`);
  const one = applyServerSide({ ...at, live: undefined, manager: 'm1', bytes: yaml('{a: "1"}') });
  const two = applyServerSide({ ...at, live: one, manager: 'm2', bytes: yaml('{b: "2"}') });
  const left = applyServerSide({ ...at, live: two, manager: 'm1', bytes: yaml('{}') });
  t.deepEqual((left as KubeObject & { readonly data?: unknown }).data, { b: '2' });
  const broken = toBytes('a: [');
  const status = refusal(() => applyServerSide({ ...at, live: one, manager: 'm', bytes: broken }));
  t.regex(status.message, /^error decoding YAML: /);
  t.is(decode({ metadata: { name: 'a' } }, 'Strict', kind).object.kind, 'ConfigMap');
});

test('[k8s 100] an owner of a version that is not served is forgotten with the next write', (t) => {
  const created = update(undefined, service({ ports: [{ port: 80 }] }), 'one');
  const [entry] = created.metadata.managedFields ?? [];
  const managedFields = [{ ...entry, apiVersion: 'v9' }];
  const old = { ...created, metadata: { ...created.metadata, managedFields } };
  const labeled = { ...old, metadata: { ...old.metadata, labels: { a: '1' } } };
  t.deepEqual(managersOf(update(old, labeled, 'two')), ['two Update']);
});
