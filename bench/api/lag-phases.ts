// What the lag bench asks of a coordinator, phase by phase: ordinary work, lists of many Services
// in every form, watches, connections, and bodies that are made to keep it busy.

import { gzipSync } from 'node:zlib';
import type { Answer, Asked, Http2Pool } from './http2-pool.ts';
import { runMany, toService } from './workloads.ts';

export interface LagStage {
  readonly pool: Http2Pool;
  /** Services in the namespace `held`. */
  readonly services: number;
  /** So many more connections; whoever opens them closes them. */
  readonly open: (connections: number) => Promise<Http2Pool>;
}

export interface LagPhase {
  readonly name: string;
  readonly run: (stage: LagStage) => Promise<void>;
}

const held = '/api/v1/namespaces/held/services';
const configMaps = '/api/v1/namespaces/held/configmaps';

const accept = {
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  metadata: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  yaml: 'application/yaml',
  openApiProtobuf: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
} as const;

/** `wanted`: any of these, so that a refusal is an answer, and a crash is not. */
async function ask(pool: Http2Pool, asked: Asked, wanted: readonly number[]): Promise<Answer> {
  const answer = await pool.request(asked);
  if (wanted.includes(answer.status)) return answer;
  const text = answer.body.toString('utf8').slice(0, 300);
  throw new Error(`${asked.method} ${asked.path}: ${answer.status} ${text}`);
}

function toListPhase(
  name: string,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): LagPhase {
  return {
    name: `list, ${name}`,
    run: async ({ pool }) => {
      for (let turn = 0; turn < 3; turn += 1) {
        await ask(pool, { method: 'GET', path: `${held}${query}`, headers }, [200]);
      }
    },
  };
}

const applyType = 'application/apply-patch+yaml';
const mergeType = 'application/merge-patch+json';

function patchPhase(
  name: string,
  contentType: string,
  toBody: (index: number) => object,
  atOnce = 16,
): LagPhase {
  return {
    name: `${name}, ${atOnce} in flight`,
    run: async ({ pool, services }: LagStage): Promise<void> => {
      const patch = async (index: number): Promise<void> => {
        const query = contentType === applyType ? '?fieldManager=lag&force=true' : '';
        const path = `${held}/held-${index}${query}`;
        const body = JSON.stringify(toBody(index));
        await ask(pool, { method: 'PATCH', path, contentType, body }, [200]);
      };
      await runMany(Math.min(services, 2_000), patch, atOnce);
    },
  };
}

/** As many as a body holds that is refused for nothing but what it says. */
const hostileLabels = 49_000;

function toLabels(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'x']));
}

function toHostile(kind: 'ConfigMap' | 'Service', name: string, count = hostileLabels): object {
  const labels = toLabels(count);
  const service = toService(name);
  const metadata = { name, labels };
  return kind === 'Service'
    ? { ...service, metadata }
    : { apiVersion: 'v1', kind, metadata, data: {} };
}

const anyRefusal = [200, 201, 400, 404, 409, 413, 415, 422] as const;

function hostile(name: string, toAsked: () => Asked): LagPhase {
  return {
    name: `hostile: ${name}`,
    run: async ({ pool }) => {
      for (let turn = 0; turn < 3; turn += 1) await ask(pool, toAsked(), anyRefusal);
    },
  };
}

const threeMiB = 3 << 20;
const watchConnections = 10;

const hostilePhases: readonly LagPhase[] = [
  hostile('one string of 3 MB', () => ({
    method: 'POST',
    path: configMaps,
    body: JSON.stringify({ metadata: { name: 'long' }, data: { a: 'x'.repeat(threeMiB - 99) } }),
  })),
  hostile('3 MB of small values', () => ({
    method: 'POST',
    path: configMaps,
    body: `{"metadata":{"name":"many"},"data":[${'1,'.repeat((threeMiB - 99) / 2)}1]}`,
  })),
  hostile('3 MB of escapes', () => ({
    method: 'POST',
    path: configMaps,
    body: `{"metadata":{"name":"many"},"data":{"a":"${'\\n'.repeat((threeMiB - 99) / 2)}"}}`,
  })),
  hostile('3 MB of YAML', () => ({
    method: 'POST',
    path: configMaps,
    contentType: 'application/yaml',
    body: `metadata: {name: many}\ndata:\n${'  a: b\n'.repeat(threeMiB / 7 - 99)}`,
  })),
  hostile('3 MB of JSON patch', () => ({
    method: 'PATCH',
    path: `${held}/held-1`,
    contentType: 'application/json-patch+json',
    body: `[${'{"op":"test","path":"/a","value":1},'.repeat(80_000)}{}]`,
  })),
  hostile('49,000 labels created', () => ({
    method: 'POST',
    path: configMaps,
    body: JSON.stringify(toHostile('ConfigMap', 'labels')),
  })),
  hostile('49,000 labels put', () => ({
    method: 'PUT',
    path: `${held}/held-2`,
    body: JSON.stringify(toHostile('Service', 'held-2')),
  })),
  hostile('49,000 labels applied', () => ({
    method: 'PATCH',
    path: `${held}/held-3?fieldManager=lag&force=true`,
    contentType: applyType,
    body: JSON.stringify(toHostile('Service', 'held-3')),
  })),
  hostile('49,000 labels merged', () => ({
    method: 'PATCH',
    path: `${held}/held-4`,
    contentType: mergeType,
    body: JSON.stringify({ metadata: { labels: toLabels(hostileLabels) } }),
  })),
  hostile('49,000 labels merged strategically', () => ({
    method: 'PATCH',
    path: `${held}/held-5`,
    contentType: 'application/strategic-merge-patch+json',
    body: JSON.stringify({ metadata: { labels: toLabels(hostileLabels) } }),
  })),
  hostile('49,000 data of a ConfigMap', () => ({
    method: 'POST',
    path: configMaps,
    body: JSON.stringify({
      metadata: { name: 'data' },
      data: toLabels(hostileLabels),
    }),
  })),
  hostile('4,000 ports applied', () => ({
    method: 'PATCH',
    path: `${held}/held-6?fieldManager=lag&force=true`,
    contentType: applyType,
    body: JSON.stringify({
      ...toService('held-6'),
      spec: { ports: Array.from({ length: 4_000 }, (_, i) => ({ name: `p${i}`, port: i + 1 })) },
    }),
  })),
  hostile('4,900 labels applied', () => ({
    method: 'PATCH',
    path: `${held}/held-7?fieldManager=lag&force=true`,
    contentType: applyType,
    body: JSON.stringify(toHostile('Service', 'held-7', 4_900)),
  })),
  hostile('4,900 labels put', () => ({
    method: 'PUT',
    path: `${held}/held-8`,
    body: JSON.stringify(toHostile('Service', 'held-8', 4_900)),
  })),
  hostile('4,900 labels created', () => ({
    method: 'POST',
    path: `${configMaps}?dryRun=All`,
    body: JSON.stringify(toHostile('ConfigMap', 'many', 4_900)),
  })),
  hostile('4,900 labels merged', () => ({
    method: 'PATCH',
    path: `${held}/held-9`,
    contentType: mergeType,
    body: JSON.stringify({ metadata: { labels: toLabels(4_900) } }),
  })),
  hostile('10,000 operations of JSON patch', () => ({
    method: 'PATCH',
    path: `${held}/held-10`,
    contentType: 'application/json-patch+json',
    body: JSON.stringify(
      Array.from({ length: 10_000 }, (_, index) => ({
        op: 'add',
        path: `/metadata/labels/l${index}`,
        value: 'x',
      })),
    ),
  })),
  hostile('250 KB of YAML', () => ({
    method: 'POST',
    path: configMaps,
    contentType: 'application/yaml',
    body: `metadata: {name: many}\ndata:\n${'  a: b\n'.repeat(36_000)}`,
  })),
  hostile('1,200 data of a ConfigMap as YAML', () => ({
    method: 'POST',
    path: `${configMaps}?dryRun=All`,
    contentType: 'application/yaml',
    body: `metadata: {name: many}\ndata:\n${Array.from({ length: 1_200 }, (_, i) => `  k${i}: b\n`).join('')}`,
  })),
  hostile('a gzip body', () => ({
    method: 'POST',
    path: configMaps,
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(threeMiB)).toString('latin1'),
  })),
];

export const lagPhases: readonly LagPhase[] = [
  {
    name: 'create, 16 in flight',
    run: async ({ pool, services }) => {
      await runMany(services, async (index) => {
        const body = JSON.stringify(toService(`held-${index}`));
        await ask(pool, { method: 'POST', path: held, body }, [201]);
      });
    },
  },
  { name: 'first list after a start, whole', run: (stage) => listOnce(stage) },
  {
    name: 'get, 16 in flight',
    run: async ({ pool, services }) => {
      await runMany(services, async (index) => {
        await ask(pool, { method: 'GET', path: `${held}/held-${index}` }, [200]);
      });
    },
  },
  toListPhase('whole', ''),
  toListPhase('gzip', '', { 'accept-encoding': 'gzip' }),
  toListPhase('resourceVersion=0', '?resourceVersion=0'),
  toListPhase('page of 500', '?limit=500'),
  toListPhase('Table', '', { accept: accept.table }),
  toListPhase('metadata only', '', { accept: accept.metadata }),
  toListPhase('YAML', '?limit=2000', { accept: accept.yaml }),
  toListPhase('pretty', '?pretty=true'),
  toListPhase('label selector', '?labelSelector=app=held-77'),
  toListPhase('field selector', '?fieldSelector=spec.type=NodePort'),
  patchPhase('merge patch', mergeType, () => ({ metadata: { annotations: { touched: 'lag' } } })),
  // As many as may write at once (--max-mutating-requests-inflight).
  patchPhase(
    'merge patch',
    mergeType,
    (index) => ({ metadata: { labels: { many: `${index}` } } }),
    200,
  ),
  patchPhase('server-side apply', applyType, (index) => ({
    ...toService(`held-${index}`),
    metadata: { name: `held-${index}`, labels: { applied: 'lag' } },
  })),
  { name: '20 watches from the present', run: (stage) => watchAll(stage, 20) },
  { name: '1000 watches, 40 changes told', run: (stage) => tellAll(stage, 1_000) },
  { name: '300 connections at once', run: ({ open }) => connectOnce(open) },
  {
    name: 'first OpenAPI v2, JSON and protobuf',
    run: async ({ pool }) => {
      await ask(pool, { method: 'GET', path: '/openapi/v2' }, [200]);
      const headers = { accept: accept.openApiProtobuf };
      await ask(pool, { method: 'GET', path: '/openapi/v2', headers }, [200]);
    },
  },
  {
    name: 'OpenAPI v3, discovery, metrics',
    run: async ({ pool }) => {
      for (const path of ['/openapi/v3/api/v1', '/apis', '/api/v1', '/metrics']) {
        await ask(pool, { method: 'GET', path }, [200]);
      }
    },
  },
  ...hostilePhases,
  {
    name: 'deletecollection',
    run: async ({ pool }) => {
      await ask(pool, { method: 'DELETE', path: held }, [200]);
    },
  },
];

async function connectOnce(open: LagStage['open']): Promise<void> {
  const pool = await open(300);
  await pool.close();
}

async function listOnce({ pool }: LagStage): Promise<void> {
  await ask(pool, { method: 'GET', path: held }, [200]);
}

/** Each is told of all Services first. */
async function watchAll({ open, services }: LagStage, watchers: number): Promise<void> {
  const pool = await open(watchConnections);
  await openAll(pool, { path: `${held}?watch=true&resourceVersion=0`, watchers }, services);
  await pool.close();
}

async function tellAll({ pool, open }: LagStage, watchers: number): Promise<void> {
  const { body } = await ask(pool, { method: 'GET', path: `${held}?limit=1` }, [200]);
  const { metadata } = JSON.parse(body.toString()) as {
    readonly metadata: { readonly resourceVersion: string };
  };
  const changes = 40;
  const watchPool = await open(watchConnections);
  const path = `${held}?watch=true&resourceVersion=${metadata.resourceVersion}`;
  await openAll(watchPool, { path, watchers }, changes, async () => {
    for (let index = 0; index < changes; index += 1) {
      const change = JSON.stringify({ metadata: { annotations: { told: String(index) } } });
      const at = { method: 'PATCH', path: `${held}/held-${index}`, contentType: mergeType };
      await ask(pool, { ...at, body: change }, [200]);
    }
  });
  await watchPool.close();
}

/** Opens watches, does `work`, waits until each has been told `lines`, and closes them. */
async function openAll(
  pool: Http2Pool,
  { path, watchers }: { readonly path: string; readonly watchers: number },
  lines: number,
  work: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let told = 0;
  let done = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const onLines = (count: number): void => {
    told += count;
    if (told >= watchers * lines) done();
  };
  const open = await Promise.all(Array.from({ length: watchers }, () => pool.watch(path, onLines)));
  await work();
  await all;
  for (const watch of open) watch.close();
}
