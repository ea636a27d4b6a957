// The whole demo as one thing: starts every part in order, keeps demo.json true, acts on single
// parts for `ctl`, and ends everything that it started.
//
//   D1. Nothing outlives end(), except what the user started himself.
//   D2. A part is started again with exactly the arguments of its first start.

import { chmodSync, mkdirSync } from 'node:fs';
import type { JsonObject } from '../common/model/kube-object.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import {
  defaultLoadBalancerBase,
  defaultPorts,
  domain,
  federation,
  federationContext,
  loadBalancerPrefix,
  memberClusters,
  type MemberCluster,
} from './clusters.ts';
import { helpFor } from './cluster/load-balancers.ts';
import type { ControlAnswer } from './control-socket.ts';
import { mergeKubeconfigs, writeDemoFile, writeWhole, type DemoFile } from './demo-file.ts';
import {
  connectFederation,
  makeJoinToken,
  removeJoinToken,
  waitForClusters,
} from './federation-api.ts';
import { toLayout, type Layout } from './layout.ts';
import { endLeftovers, isAlive, killAll, loadState, saveState } from './leftovers.ts';
import { actOnNats, natsPid, watchNatsPid } from './nats-process.ts';
import { createPart, type Part, type PartProgram } from './part.ts';
import { canListen, takeLoadBalancerBase, takePorts } from './ports.ts';
import {
  agentName,
  agentPart,
  clusterPart,
  coordinatorName,
  coordinatorPart,
  type Choices,
} from './programs.ts';

export interface MeshOptions {
  readonly dir: string;
  readonly isAnyPort: boolean;
  /** Members with a real API server. */
  readonly isReal: boolean;
  readonly natsServer: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** One line of progress. */
  readonly say: (text: string) => void;
}

export interface Mesh {
  readonly layout: Layout;
  readonly loadBalancerBase: number;
  /** Starts everything; resolves when every cluster has joined. */
  start(): Promise<DemoFile>;
  act(verb: string, part: string): Promise<ControlAnswer>;
  end(): Promise<void>;
}

// After a start of eight programs on two busy cores; a cluster that needs longer is named.
const joinMs = 60_000;
// Together below the 5 s that lifecycle.ts gives to the whole mesh.
const agentGraceMs = 2_000;
const restGraceMs = 2_500;
const serviceOfGuidePort = 80;

/** Chooses ports and folders; throws with a message for the user when it cannot. */
export async function prepareMesh(options: MeshOptions): Promise<Mesh> {
  const { clock, chance, say, isAnyPort } = options;
  const layout = toLayout(options.dir);
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  chmodSync(layout.dir, 0o700);
  const saved = loadState(layout.stateFile);
  const left = await endLeftovers(saved?.pids ?? [], layout.dir, clock);
  if (left.length > 0) say(`ended ${left.length} processes that an earlier demo left behind`);
  const loadBalancerBase =
    saved?.loadBalancerBase ??
    (await takeLoadBalancerBase({
      preferred: defaultLoadBalancerBase,
      isAnyPort,
      clusters: memberClusters.length,
      port: serviceOfGuidePort,
      chance,
    }));
  await warnOfRefusedListeners(loadBalancerBase, say);
  const ports = await takePorts(defaultPorts(), { isAnyPort, chance, earlier: saved?.ports ?? {} });
  return createMesh(options, {
    layout,
    ports,
    loadBalancerBase,
    natsServer: options.natsServer,
    isReal: options.isReal,
  });
}

/** The demo goes on without: the APIs work, only the load balancers stay shut. */
async function warnOfRefusedListeners(base: number, say: (text: string) => void): Promise<void> {
  for (const [index] of memberClusters.entries()) {
    const address = `${loadBalancerPrefix(base, index)}.1`;
    const code = await canListen(serviceOfGuidePort, address);
    if (code === undefined) continue;
    say(`load balancers will not answer: ${helpFor(code, address, serviceOfGuidePort)}`);
    if (code !== 'EADDRNOTAVAIL') return;
  }
}

function createMesh(options: MeshOptions, choices: Choices): Mesh {
  const { clock, say } = options;
  const { layout, loadBalancerBase } = choices;
  const parts = new Map<string, Part>();
  const readyLines = new Map<string, JsonObject>();
  let isEnding = false;
  let natsWatch: { close(): void } | undefined;

  const remember = (): void => {
    const nats = natsPid(layout.natsPidFile);
    const pids = [...[...parts.values()].map((part) => part.pid()), nats].flatMap(
      (pid) => pid ?? [],
    );
    saveState(layout.stateFile, {
      loadBalancerBase,
      ports: Object.fromEntries(choices.ports),
      pids,
    });
  };

  const startPart = async (program: PartProgram): Promise<void> => {
    if (isEnding) throw new Error('the demo is being stopped');
    const { name } = program;
    const part = createPart(program, {
      clock,
      onUnexpectedEnd: (how) => {
        say(`${name} ended (${how}); start it again with: npm run demo -- ctl start ${name}`);
        refresh();
      },
    });
    parts.set(name, part);
    readyLines.set(name, await part.start());
    remember();
  };

  const refresh = (): DemoFile => {
    const file = toDemoFile(layout, parts, readyLines);
    if (readyLines.size > memberClusters.length * 2) writeDemoFile(layout.demoJson, file);
    remember();
    return file;
  };

  const start = async (): Promise<DemoFile> => {
    const kind = choices.isReal ? 'clusters with a real API server' : 'clusters';
    say(`starting the coordinator and four ${kind}`);
    await Promise.all([
      startPart(coordinatorPart(choices)),
      ...memberClusters.map((cluster) => startPart(clusterPart(cluster, choices))),
    ]);
    natsWatch = watchNatsPid(layout.natsPidFile, refresh);
    const kubeconfigOf = (name: string): string => textOf(readyLines.get(name), 'kubeconfig');
    mergeKubeconfigs(
      layout.kubeconfig,
      [coordinatorName, ...memberClusters.map(({ name }) => name)].map(kubeconfigOf),
      federationContext,
    );
    const kube = await connectFederation({ ...options, kubeconfig: kubeconfigOf(coordinatorName) });
    try {
      say('joining each cluster with a token of its own and starting its agent');
      const tokens = await Promise.all(
        memberClusters.map(async (cluster) => {
          const tokenFile = `${layout.clusterDir(cluster.name)}/join-token`;
          const made = await makeJoinToken(kube, cluster.name);
          writeWhole(tokenFile, made.token);
          const kubeconfig = kubeconfigOf(cluster.name);
          await startPart(agentPart(cluster, choices, { kubeconfig, tokenFile }));
          return made;
        }),
      );
      say('waiting until every cluster is Ready');
      const names = memberClusters.map(({ name }) => name);
      const missing = await waitForClusters(kube, names, { clock, withinMs: joinMs });
      if (missing.length > 0) say(`not Ready yet: ${missing.join(', ')}; see ${layout.logs}`);
      else await Promise.all(tokens.map((made) => removeJoinToken(kube, made)));
    } finally {
      kube.close();
    }
    return refresh();
  };

  const endGroup = async (names: readonly string[], graceMs: number): Promise<void> => {
    await Promise.all(names.map((name) => parts.get(name)?.end(graceMs)));
  };

  return {
    layout,
    loadBalancerBase,
    start,
    act: async (verb, name) => {
      const answer =
        name === 'nats'
          ? await actOnNats(verb, layout.natsPidFile, clock)
          : await actOnPart(verb, name, parts, readyLines);
      refresh();
      return answer;
    },
    end: async () => {
      isEnding = true;
      natsWatch?.close();
      const names = memberClusters.map((cluster) => cluster.name);
      const nats = natsPid(layout.natsPidFile);
      await endGroup(names.map(agentName), agentGraceMs);
      await endGroup([...names, coordinatorName], restGraceMs);
      // The coordinator ends its nats-server itself, unless it was killed and could not.
      if (nats !== undefined && isAlive(nats)) await killAll([nats], clock);
      remember();
    },
  };
}

async function actOnPart(
  verb: string,
  name: string,
  parts: ReadonlyMap<string, Part>,
  readyLines: Map<string, JsonObject>,
): Promise<ControlAnswer> {
  const part = parts.get(name);
  if (part === undefined) {
    return {
      ok: false,
      message: `no process ${name}; there are: ${[...parts.keys(), 'nats'].sort().join(', ')}`,
    };
  }
  const pid = part.pid();
  if (verb === 'start') {
    if (pid !== undefined) return { ok: false, message: `${name} runs already (pid ${pid})` };
    readyLines.set(name, await part.start());
    return { ok: true, message: `started ${name} (pid ${part.pid() ?? 0})` };
  }
  if (pid === undefined)
    return { ok: false, message: `${name} does not run; start it with: ctl start ${name}` };
  switch (verb) {
    case 'kill':
      part.signal('SIGKILL');
      await part.gone();
      return { ok: true, message: `killed ${name} (pid ${pid})` };
    case 'stop':
      part.signal('SIGSTOP');
      return {
        ok: true,
        message: `stopped ${name} (pid ${pid}); it goes on with: ctl cont ${name}`,
      };
    case 'cont':
      part.signal('SIGCONT');
      return { ok: true, message: `continued ${name} (pid ${pid})` };
    default:
      return { ok: false, message: `unknown verb ${verb}` };
  }
}

function toDemoFile(
  layout: Layout,
  parts: ReadonlyMap<string, Part>,
  readyLines: ReadonlyMap<string, JsonObject>,
): DemoFile {
  const coordinator = readyLines.get(coordinatorName);
  const running = (key: string, pid: number | undefined): Record<string, number> =>
    pid === undefined ? {} : { [key]: pid };
  const toCluster = (cluster: MemberCluster): DemoFile['clusters'][string] => ({
    context: cluster.name,
    zone: cluster.zone,
    region: cluster.region,
    provider: cluster.provider,
    api: textOf(readyLines.get(cluster.name), 'api'),
    resolver: textOf(readyLines.get(agentName(cluster.name)), 'resolver'),
    pids: {
      ...running('cluster', parts.get(cluster.name)?.pid()),
      ...running('agent', parts.get(agentName(cluster.name))?.pid()),
    },
  });
  const nats = natsPid(layout.natsPidFile);
  return {
    federation,
    domain,
    api: textOf(coordinator, 'api'),
    mesh: textOf(coordinator, 'mesh'),
    nats: textOf(coordinator, 'nats'),
    dns: textOf(coordinator, 'dns'),
    admin: textOf(coordinator, 'admin'),
    kubeconfig: layout.kubeconfig,
    clusters: Object.fromEntries(
      memberClusters.map((cluster) => [cluster.name, toCluster(cluster)]),
    ),
    pids: {
      ...running('coordinator', parts.get(coordinatorName)?.pid()),
      ...running('nats', nats !== undefined && isAlive(nats) ? nats : undefined),
    },
  };
}

function textOf(object: JsonObject | undefined, field: string): string {
  const value = object?.[field];
  return typeof value === 'string' ? value : '';
}
