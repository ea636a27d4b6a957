// What the API bench asks of a server. Each workload is one row of the table: it works on Services
// of one namespace, checks every answer, and says how much it did.

import type { Http2Pool } from './http2-pool.ts';

export interface Stage {
  readonly pool: Http2Pool;
  /** Connections for watches, 100 streams each. */
  readonly watchPool: Http2Pool;
  readonly namespace: string;
  /** Services in the namespace between create and delete. */
  readonly services: number;
  /** Different in each round, so that a write changes something. */
  readonly round: number;
}

export interface Workload {
  readonly name: string;
  readonly unit: string;
  /** Resolves with how many units were done. */
  readonly run: (stage: Stage) => Promise<number>;
}

const inFlight = 16;
const listsFull = 10;
const pageSize = 100;
const patchesToWatch = 40;

function toCollection(stage: Stage): string {
  return `/api/v1/namespaces/${stage.namespace}/services`;
}

function toPath(stage: Stage, index: number): string {
  return `${toCollection(stage)}/svc-${index}`;
}

export function toService(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: { app: name, team: 'bench' } },
    spec: {
      selector: { app: name },
      ports: [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'metrics', port: 9090 },
      ],
    },
  };
}

/** Runs `count` pieces of work, so many of them at once. */
export async function runMany(
  count: number,
  work: (index: number) => Promise<void>,
  atOnce = inFlight,
): Promise<number> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return count;
}

async function ask(
  pool: Http2Pool,
  asked: Parameters<Http2Pool['request']>[0],
  wanted: number,
): Promise<Buffer> {
  const { status, body } = await pool.request(asked);
  if (status === wanted) return body;
  throw new Error(
    `${asked.method} ${asked.path}: ${status} ${body.toString('utf8').slice(0, 300)}`,
  );
}

function patch(stage: Stage, index: number, value: string): Promise<Buffer> {
  return ask(
    stage.pool,
    {
      method: 'PATCH',
      path: toPath(stage, index),
      contentType: 'application/merge-patch+json',
      body: JSON.stringify({ metadata: { annotations: { touched: value } } }),
    },
    200,
  );
}

async function list(stage: Stage, query: string): Promise<void> {
  const path = `${toCollection(stage)}${query}`;
  const body = await ask(stage.pool, { method: 'GET', path }, 200);
  if (body.length < 400 * stage.services) throw new Error(`${path}: only ${body.length} bytes`);
}

async function walkPages(stage: Stage): Promise<void> {
  let token = '';
  let items = 0;
  do {
    const next = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
    const path = `${toCollection(stage)}?limit=${pageSize}${next}`;
    const page = JSON.parse((await ask(stage.pool, { method: 'GET', path }, 200)).toString()) as {
      readonly metadata: { readonly continue?: string };
      readonly items: readonly object[];
    };
    items += page.items.length;
    token = page.metadata.continue ?? '';
  } while (token !== '');
  if (items !== stage.services) throw new Error(`${items} of ${stage.services} in the pages`);
}

/** Events that `watchers` have received, while one Service after another is patched. */
async function fanOut(stage: Stage, watchers: number): Promise<number> {
  const wanted = watchers * patchesToWatch;
  let received = 0;
  let done = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const path = `${toCollection(stage)}?watch=true&resourceVersion=${await newestRevision(stage)}`;
  const onLines = (count: number): void => {
    received += count;
    if (received >= wanted) done();
  };
  const open = await Promise.all(
    Array.from({ length: watchers }, () => stage.watchPool.watch(path, onLines)),
  );
  for (let index = 0; index < patchesToWatch; index += 1) {
    await patch(stage, index, `${watchers}-${stage.round}`);
  }
  await all;
  for (const watch of open) watch.close();
  return received;
}

async function newestRevision(stage: Stage): Promise<string> {
  const body = await ask(
    stage.pool,
    { method: 'GET', path: `${toCollection(stage)}?limit=1` },
    200,
  );
  const { metadata } = JSON.parse(body.toString()) as {
    readonly metadata: { readonly resourceVersion: string };
  };
  return metadata.resourceVersion;
}

function repeat(times: number, work: () => Promise<void>): Promise<number> {
  return Array.from({ length: times }).reduce<Promise<number>>(
    async (before) => (await before) + (await work().then(() => 1)),
    Promise.resolve(0),
  );
}

export const workloads: readonly Workload[] = [
  {
    name: 'create',
    unit: 'writes/s',
    run: (stage) =>
      runMany(stage.services, async (index) => {
        const body = JSON.stringify(toService(`svc-${index}`));
        await ask(stage.pool, { method: 'POST', path: toCollection(stage), body }, 201);
      }),
  },
  {
    name: 'get',
    unit: 'reads/s',
    run: (stage) =>
      runMany(stage.services * 4, async (index) => {
        const path = toPath(stage, index % stage.services);
        await ask(stage.pool, { method: 'GET', path }, 200);
      }),
  },
  {
    name: 'list, full',
    unit: 'lists/s',
    run: (stage) => repeat(listsFull, () => list(stage, '')),
  },
  {
    name: 'list, resourceVersion=0',
    unit: 'lists/s',
    run: (stage) => repeat(listsFull, () => list(stage, '?resourceVersion=0')),
  },
  {
    name: `list, in pages of ${pageSize}`,
    unit: 'walks/s',
    run: (stage) => repeat(listsFull, () => walkPages(stage)),
  },
  {
    name: 'merge patch',
    unit: 'writes/s',
    run: (stage) =>
      runMany(stage.services, async (index) => {
        await patch(stage, index, `patch-${stage.round}`);
      }),
  },
  {
    name: 'server-side apply',
    unit: 'writes/s',
    run: (stage) =>
      runMany(stage.services, async (index) => {
        const service = toService(`svc-${index}`);
        const applied = {
          ...service,
          metadata: { name: `svc-${index}`, labels: { applied: `round-${stage.round}` } },
        };
        const asked = {
          method: 'PATCH',
          path: `${toPath(stage, index)}?fieldManager=bench&force=true`,
          contentType: 'application/apply-patch+yaml',
          body: JSON.stringify(applied),
        };
        await ask(stage.pool, asked, 200);
      }),
  },
  { name: 'watch, 200 watchers', unit: 'events/s', run: (stage) => fanOut(stage, 200) },
  { name: 'watch, 1000 watchers', unit: 'events/s', run: (stage) => fanOut(stage, 1000) },
  {
    name: 'delete',
    unit: 'writes/s',
    run: (stage) =>
      runMany(stage.services, async (index) => {
        await ask(stage.pool, { method: 'DELETE', path: toPath(stage, index) }, 200);
      }),
  },
];
