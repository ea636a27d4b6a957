// A real kube-apiserver into which Helm has installed the agent's chart, and replicas of the agent as
// its Deployment would run them: the chart's own arguments, the ServiceAccount's own token, a disk
// and a Pod of their own. An audit log tells what they asked for.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createPart, type Part } from '../../demo/part.ts';
import { chartNamespace, openHelm, type Helm } from './chart.ts';
import { eventually } from './eventually.ts';
import { startKubeApiserver, type KubeApiserver } from './kube-apiserver.ts';
import { writeTokenKubeconfig } from './token-kubeconfig.ts';

export interface Asked {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly code: number;
  readonly uri: string;
}

export interface ReplicaProcess {
  readonly part: Part;
  /** `127.0.0.1:PORT`. */
  readonly resolver: string;
  /** Text of /readyz. */
  ready(): Promise<string>;
  log(): string;
}

export interface ReplicaPlace {
  readonly disk: string;
  readonly pod: string;
  /** Where it finds the API server, when not directly. */
  readonly through?: string;
}

export interface ChartedCluster {
  readonly server: KubeApiserver;
  readonly helm: Helm;
  /** What Helm printed when it installed. */
  readonly notes: string;
  readonly account: string;
  /** Of the agent's ServiceAccount. */
  readonly token: string;
  /** Resolves when it is ready; `disk` names its folder, `pod` its Pod. */
  startReplica(options: ReplicaPlace): Promise<ReplicaProcess>;
  /** Everything that the agent has asked for so far, once each. */
  asked(): readonly Asked[];
  holder(): Promise<string>;
  close(): Promise<void>;
}

const release = 'isthmus-agent';
const policy = (user: string): string =>
  JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
  });

/** `values` as `--set` takes them; `namespaces` are there before. */
export async function openChartedCluster(
  values: readonly string[],
  namespaces: readonly string[] = [],
): Promise<ChartedCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-charted-'));
  const account = `system:serviceaccount:${chartNamespace}:${release}`;
  writeFileSync(join(folder, 'policy.json'), policy(account));
  const audit = join(folder, 'audit.log');
  const server = await startKubeApiserver({
    flags: [`--audit-policy-file=${join(folder, 'policy.json')}`, `--audit-log-path=${audit}`],
  });
  const helm = openHelm('helm');
  const close = async (): Promise<void> => {
    await server.stop();
    helm.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const name of namespaces) {
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await server.ask({ method: 'POST', path: '/api/v1/namespaces', body });
    }
    const args = ['install', release, 'charts/agent', '--create-namespace'];
    const sets = values.map((value) => `--set=${value}`);
    const ran = await helm.run([...args, ...sets], { KUBECONFIG: server.kubeconfig });
    if (ran.code !== 0) throw new Error(`helm install: ${ran.errors}`);
    const token = await requestToken(server);
    const parts: Part[] = [];
    return {
      server,
      helm,
      notes: ran.output,
      account,
      token,
      startReplica: (of) => startReplica({ ...of, folder, server, token, parts }),
      asked: () => readAsked(audit),
      holder: async () => {
        const { json } = await server.ask({ path: leasePath });
        const { spec } = json as KubeObject & { readonly spec?: { holderIdentity?: string } };
        return spec?.holderIdentity ?? '';
      },
      close: async () => {
        await Promise.all(parts.map((part) => part.end(3_000)));
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${chartNamespace}/leases/${release}`;

async function requestToken(server: KubeApiserver): Promise<string> {
  const path = `/api/v1/namespaces/${chartNamespace}/serviceaccounts/${release}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { status, json, text } = await server.ask({ method: 'POST', path, body });
  if (status !== 201) throw new Error(`no token of the ServiceAccount: ${text}`);
  return (json as { readonly status: { readonly token: string } }).status.token;
}

async function startReplica(
  of: ReplicaPlace & {
    readonly folder: string;
    readonly server: KubeApiserver;
    readonly token: string;
    readonly parts: Part[];
  },
): Promise<ReplicaProcess> {
  const { disk, pod, folder, server, token, parts } = of;
  const dir = join(folder, disk);
  mkdirSync(dir, { recursive: true });
  const kubeconfig = join(dir, 'kubeconfig');
  const { caFile, url } = server;
  writeTokenKubeconfig(kubeconfig, { server: of.through ?? url, caFile, user: 'a', token });
  const tokenFile = join(folder, 'join-token');
  writeFileSync(tokenFile, await readJoinToken(server));
  // What differs between a Pod and a process on this machine.
  const own: Readonly<Record<string, string>> = {
    '--data-dir': join(dir, 'data'),
    '--token-file': tokenFile,
    '--resolver-listen': '127.0.0.1:0',
    '--admin-listen': '127.0.0.1:0',
    '--replica-listen': '127.0.0.1:0',
    '--replica-address': '127.0.0.1',
    '--pod-uid': pod,
  };
  const args = (await readChartArgs(server)).map((arg) => {
    const [flag = ''] = arg.split('=', 1);
    return flag in own ? `${flag}=${own[flag]}` : arg;
  });
  const logPath = join(dir, 'log');
  const name = `${disk}/${pod}`;
  const program = { name, script: 'agent/main.js', args: [...args, '--kubeconfig', kubeconfig] };
  const part = createPart({ ...program, logPath }, { clock, onUnexpectedEnd: () => undefined });
  parts.push(part);
  const line = await part.start();
  return {
    part,
    resolver: String(line['resolver']),
    ready: async () => {
      const signal = AbortSignal.timeout(5_000);
      return (await fetch(`http://${String(line['admin'])}/readyz`, { signal })).text();
    },
    log: () => readFileSync(logPath, 'utf8'),
  };
}

async function readJoinToken(server: KubeApiserver): Promise<string> {
  const path = `/api/v1/namespaces/${chartNamespace}/secrets/${release}-join`;
  const { json } = await server.ask({ path });
  const { data } = json as { readonly data?: { readonly token?: string } };
  return Buffer.from(data?.token ?? '', 'base64').toString('utf8');
}

async function readChartArgs(server: KubeApiserver): Promise<readonly string[]> {
  const path = `/apis/apps/v1/namespaces/${chartNamespace}/deployments/${release}`;
  const { json } = await server.ask({ path });
  const { spec } = json as { readonly spec: { readonly template: { readonly spec: PodSpec } } };
  return spec.template.spec.containers[0]?.args ?? [];
}

interface PodSpec {
  readonly containers: readonly { readonly args: readonly string[] }[];
}

function readAsked(audit: string): readonly Asked[] {
  const found = new Map<string, Asked>();
  for (const line of readFileSync(audit, 'utf8').split('\n')) {
    if (line === '') continue;
    const { verb, objectRef, responseStatus, requestURI } = JSON.parse(line) as AuditLine;
    const asked = {
      verb,
      group: objectRef?.apiGroup ?? '',
      resource: objectRef?.resource ?? '',
      code: responseStatus?.code ?? 0,
      uri: requestURI.split('?', 1)[0] ?? '',
    };
    found.set(`${verb} ${asked.group}/${asked.resource} ${asked.code}`, asked);
  }
  return [...found.values()];
}

interface AuditLine {
  readonly verb: string;
  readonly requestURI: string;
  readonly objectRef?: { readonly apiGroup?: string; readonly resource?: string };
  readonly responseStatus?: JsonObject & { readonly code?: number };
}

export const nginxPath = '/api/v1/namespaces/default/services/nginx';

/** Drift is put right within seconds, by whoever leads. */
export async function repairs(cluster: ChartedCluster, replica: ReplicaProcess): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const selector = { run: 'somebody-elses' };
  await cluster.server.ask({
    method: 'PATCH',
    path: nginxPath,
    headers,
    body: { spec: { selector } },
  });
  await eventually(15_000, async () => {
    const { json } = await cluster.server.ask({ path: nginxPath });
    const spec = (json as KubeObject).spec as JsonObject;
    const isRight = JSON.stringify(spec['selector']) === JSON.stringify({ run: 'nginx' });
    return isRight ? [] : [`${JSON.stringify(spec['selector'])} ${replica.log().slice(-2_000)}`];
  });
}

/** Empty when the Lease is held by a replica of this Pod. */
export async function heldBy(cluster: ChartedCluster, pod: string): Promise<readonly string[]> {
  const holder = await cluster.holder();
  return holder.includes(`-${pod}_`) ? [] : [`held by ${holder}`];
}
