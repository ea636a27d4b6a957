// Wires the hosted agents into this process: their folders below the data directory, their join
// tokens made through the API like anybody's.

import { join } from 'node:path';
import type { ClusterName } from '../common/model/ids.ts';
import type { JoinToken } from '../common/model/isthmus-kinds.ts';
import { MeshError } from '../common/pure/errors.ts';
import { at } from './settings/addresses.ts';
import type { Api } from './api/machinery/api.ts';
import type { Base } from './base.ts';
import type { Coordinator } from './coordinator.ts';
import type { Desired } from './desired/store.ts';
import { createChildProcesses } from './hosted/child-process.ts';
import { createHostedAgents } from './hosted/loop.ts';
import type { MadeToken } from './hosted/running.ts';

// One of ours, in the audit log too.
const user = { name: 'system:isthmus:hosted', groups: ['system:masters', 'system:authenticated'] };
const tokensPath = '/apis/isthmus.dev/v1alpha1/jointokens';
// An agent uses it within seconds.
const expirationSeconds = 600;
const [statusCreated, statusOk, statusNotFound] = [201, 200, 404];

/** Starts them; they end with the lifecycle, before the coordinator does. */
export function openHostedAgents(
  base: Base,
  parts: {
    readonly desired: Desired;
    readonly coordinator: Pick<Coordinator, 'api' | 'term' | 'recorder'>;
    /** The data directory. */
    readonly path: string;
    readonly meshPort: number;
  },
): void {
  const { settings, clock, lifecycle } = base;
  const { desired, coordinator, path, meshPort } = parts;
  const { term, recorder, api } = coordinator;
  const children = createChildProcesses({
    folder: join(path, 'hosted'),
    coordinator: at(settings, 'mesh-listen', meshPort),
    flags: [
      `--log-level=${settings.text('log-level') ?? 'info'}`,
      `--log-format=${settings.text('log-format') ?? 'json'}`,
      ...(settings.isOn('allow-loopback') ? ['--allow-loopback'] : []),
    ],
    env: process.env,
    clock,
  });
  const hosted = createHostedAgents(
    {
      ...base,
      desired,
      term,
      recorder,
      children,
      makeToken: (cluster) => makeToken(api, cluster),
    },
    { agentsMax: settings.number('hosted-agents-max') ?? 0 },
  );
  hosted.start();
  lifecycle.onClose({ name: 'hosted agents', close: () => hosted.stop() });
}

async function makeToken(api: Pick<Api, 'handle'>, cluster: ClusterName): Promise<MadeToken> {
  const generateName = `${cluster.slice(0, 50).replace(/-+$/, '')}-hosted-`;
  const made = (await ask(api, 'POST', tokensPath, statusCreated, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'JoinToken',
    metadata: { generateName },
    // Who gave the credentials has decided on the cluster.
    spec: { cluster, expirationSeconds, approval: 'Automatic' },
  })) as JoinToken | undefined; // the API answers with the kind that was created
  const token = made?.status?.token;
  if (made === undefined || token === undefined) {
    throw new MeshError('retryable', 'HOSTED_TOKEN', `no join token was made for ${cluster}`);
  }
  const { name } = made.metadata;
  return {
    token,
    remove: async () => {
      await ask(api, 'DELETE', `${tokensPath}/${name}`, statusOk, {});
    },
  };
}

/** undefined when there is no such object. Throws MeshError HOSTED_TOKEN. */
async function ask(
  api: Pick<Api, 'handle'>,
  method: string,
  target: string,
  wanted: number,
  body: object,
): Promise<unknown> {
  const response = await api.handle({
    method,
    target,
    headers: { 'content-type': 'application/json', 'user-agent': 'isthmus-coordinator' },
    body: Buffer.from(JSON.stringify(body)),
    user,
    signal: new AbortController().signal,
  });
  const text = response.body instanceof Uint8Array ? Buffer.from(response.body).toString() : '';
  if (response.status === wanted) return JSON.parse(text) as unknown;
  if (response.status === statusNotFound) return undefined;
  const { message } = JSON.parse(text) as { readonly message?: unknown }; // a Status
  throw new MeshError('retryable', 'HOSTED_TOKEN', `${method} ${target}: ${String(message)}`);
}
