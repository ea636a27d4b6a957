// A whole mesh of real processes for tests: coordinator with its nats-server, simulated member
// clusters with an agent each, real kubectl, DNS over sockets. Free ports, a folder of its own.
//
//   R1. close() leaves nothing behind: no process (also none that is stopped), no file.
//   R2. A process that ends although no test ended it stands in `crashes`.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { federationContext, memberClusters, type MemberCluster } from '../../demo/clusters.ts';
import { mergeKubeconfigs, writeWhole } from '../../demo/demo-file.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { differences, expectedAnswers, toAnswer } from '../../demo/guide/expected-dns.ts';
import { toLayout, type Layout } from '../../demo/layout.ts';
import { isAlive, signalIfThere } from '../../demo/leftovers.ts';
import { actOnNats, natsPid } from '../../demo/nats-process.ts';
import { createPart, type Part, type PartProgram } from '../../demo/part.ts';
import { takeLoadBalancerBase } from '../../demo/ports.ts';
import { takeTestPorts } from './test-ports.ts';
import { agentPart, clusterPart, coordinatorPart, type Choices } from '../../demo/programs.ts';
import { eventually } from './eventually.ts';
import { getNginx, namesOfNginx, publicAddressOf, scope } from './nginx-views.ts';
import { findProgram } from './programs.ts';
import { runProgram, type Ran } from './run-program.ts';

export const [a, f, aws] = ['gce-us-central1-a', 'gce-us-central1-f', 'aws-us-east-1a'] as const;

export type PartName = 'coordinator' | 'nats' | (string & {});

export interface RealMesh {
  readonly layout: Layout;
  readonly clusters: readonly MemberCluster[];
  /** Names of processes that ended by themselves, with how. */
  readonly crashes: readonly string[];
  /** `127.0.0.1:PORT` of `api`, `mesh`, `nats`, `dns`, `admin`, `CLUSTER/resolver`. */
  at(port: string): string;
  /** A client of the federation's API, or of a member's. */
  kube(context?: string): KubeClient;
  /** Standard output of kubectl; throws with what it printed when it fails. */
  kubectl(context: string, args: readonly string[], input?: string): Promise<string>;
  /** kubectl at the federation; never throws. */
  tryKubectl(args: readonly string[], input?: string): Promise<Ran>;
  pid(part: PartName): number | undefined;
  kill(part: PartName): Promise<void>;
  start(part: PartName): Promise<void>;
  stop(part: PartName): void;
  cont(part: PartName): void;
  /** One more agent in a member cluster, which need not become ready; `end` is close()'s too. */
  startAgent(options: ExtraAgent): { readonly log: () => string; end(): Promise<void> };
  /** Everything that the part has logged so far. */
  logOf(part: PartName): string;
  /** Value of one sample at a part's /metrics; 0 when it is not there. */
  metric(admin: string, name: string, labels?: string): Promise<number>;
  /** How DNS differs from: exactly these clusters have a healthy shard. Empty: as wanted. */
  dnsFaults(healthy: readonly string[]): Promise<readonly string[]>;
  /** What each zone, region and global name of nginx answers. */
  answers(): Promise<ReadonlyMap<string, string>>;
  /** What the resolver of a cluster answers to its Pods. */
  resolve(cluster: string, name?: string): Promise<string>;
  /** The guide's nginx everywhere, with one ready Pod each, and DNS answering for all. */
  createNginx(): Promise<void>;
  close(): Promise<void>;
}

export interface ExtraAgent {
  /** Of this process; also its folder. */
  readonly id: string;
  /** Whose API it uses. */
  readonly member: string;
  readonly cluster: string;
  readonly token: string;
}

export interface RealMeshOptions {
  /**
   * Members with a real etcd, kube-apiserver and kube-controller-manager. Default: when
   * TEST_MEMBERS says `real`.
   */
  readonly isReal?: boolean;
  readonly clusters?: number;
  /** More flags of the coordinator, or others than usual. */
  readonly coordinatorFlags?: readonly string[];
  /** Where an agent dials the coordinator, when not directly. */
  readonly meshOf?: (cluster: string) => string | undefined;
  /** Called once folders and ports are known and before anything starts. */
  readonly prepare?: (at: {
    readonly layout: Layout;
    /** As it will be started. */
    readonly coordinator: PartProgram;
    portOf(name: string): number;
  }) => Promise<void>;
  /** Called when every process has ended and before the folder goes. */
  readonly release?: () => Promise<void>;
}

const graceMs = 3_000;
const joinMs = 40_000;

export async function openRealMesh(options: RealMeshOptions = {}): Promise<RealMesh> {
  const layout = toLayout(mkdtempSync(join(tmpdir(), 'isthmus-e2e-')));
  mkdirSync(layout.logs, { recursive: true });
  const clusters = memberClusters.slice(0, options.clusters ?? 3);
  const choices = await choose(
    layout,
    clusters,
    options.isReal ?? process.env['TEST_MEMBERS'] === 'real',
  );
  const coordinator = coordinatorPart(choices);
  const portOf = (name: string): number => choices.ports.get(name) ?? 0;
  const mesh = new Mesh(choices, clusters, options.release);
  try {
    await options.prepare?.({ layout, coordinator, portOf });
    await mesh.open(options);
  } catch (error) {
    const logs = ['coordinator', ...clusters.map(({ name }) => `${name}/agent`)];
    const text = logs.map((part) => `${part}: ${mesh.logOf(part).slice(-1500)}`).join('\n');
    await mesh.close();
    throw new Error(`the mesh did not start: ${String(error)}\n${text}`, { cause: error });
  }
  return mesh;
}

async function choose(
  layout: Layout,
  clusters: readonly MemberCluster[],
  isReal: boolean,
): Promise<Choices> {
  const own = ['api', 'mesh', 'nats', 'dns', 'admin'];
  const names = own.concat(
    clusters.flatMap(({ name }) => [`${name}/api`, `${name}/resolver`, `${name}/admin`]),
  );
  const ports = await takeTestPorts(names);
  const loadBalancerBase = await takeLoadBalancerBase({
    preferred: 100,
    isAnyPort: true,
    clusters: clusters.length,
    port: 80,
    chance,
  });
  return { layout, ports, loadBalancerBase, natsServer: findProgram('nats-server') ?? '', isReal };
}

class Mesh implements RealMesh {
  readonly layout: Layout;
  readonly clusters: readonly MemberCluster[];
  readonly crashes: string[] = [];
  readonly #choices: Choices;
  readonly #release: RealMeshOptions['release'];
  readonly #parts = new Map<string, Part>();
  readonly #kubeconfigs = new Map<string, string>();
  readonly #kubes = new Map<string, KubeClient>();
  readonly #addresses = new Map<string, string>();

  constructor(
    choices: Choices,
    clusters: readonly MemberCluster[],
    release: RealMeshOptions['release'],
  ) {
    this.#release = release;
    this.#choices = choices;
    this.layout = choices.layout;
    this.clusters = clusters;
  }

  async open(options: RealMeshOptions): Promise<void> {
    const coordinator = coordinatorPart(this.#choices);
    const args = [...coordinator.args, ...(options.coordinatorFlags ?? [])];
    await Promise.all([
      this.#startPart({ ...coordinator, args }),
      ...this.clusters.map((cluster) => this.#startPart(clusterPart(cluster, this.#choices))),
    ]);
    for (const [name, path] of this.#kubeconfigs) {
      const config = await loadKubeEndpoint({ kubeconfigPath: path, context: undefined }, {});
      this.#kubes.set(name, connectKube({ config, clock, chance }));
    }
    mergeKubeconfigs(this.layout.kubeconfig, [...this.#kubeconfigs.values()], federationContext);
    await Promise.all(this.clusters.map((cluster) => this.#join(cluster, options)));
    const names = this.clusters.map(({ name }) => name);
    const missing = await waitForClusters(this.kube(), names, { clock, withinMs: joinMs });
    if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
  }

  async #startPart(program: PartProgram): Promise<void> {
    const { name } = program;
    const part = createPart(program, {
      clock,
      onUnexpectedEnd: (how) => void this.crashes.push(`${name} ended with ${how}`),
    });
    this.#parts.set(name, part);
    const ready = await part.start();
    const kubeconfig = ready['kubeconfig'];
    if (typeof kubeconfig === 'string')
      this.#kubeconfigs.set(name === 'coordinator' ? federationContext : name, kubeconfig);
  }

  async #join(cluster: MemberCluster, options: RealMeshOptions): Promise<void> {
    const tokenFile = join(this.layout.clusterDir(cluster.name), 'join-token');
    const { token } = await makeJoinToken(this.kube(), cluster.name);
    writeWhole(tokenFile, token);
    const kubeconfig = this.#kubeconfigs.get(cluster.name) ?? '';
    const program = agentPart(cluster, this.#choices, { kubeconfig, tokenFile });
    const mesh = options.meshOf?.(cluster.name) ?? this.at('mesh');
    const args = program.args.map((text, index, all) =>
      all[index - 1] === '--coordinator' ? mesh : text,
    );
    await this.#startPart({ ...program, args });
  }

  at(port: string): string {
    return `127.0.0.1:${this.#choices.ports.get(port) ?? 0}`;
  }

  kube(context: string = federationContext): KubeClient {
    const kube = this.#kubes.get(context);
    if (kube === undefined) throw new Error(`no context ${context}`);
    return kube;
  }

  async kubectl(context: string, args: readonly string[], input = ''): Promise<string> {
    const ran = await this.#runKubectl([`--context=${context}`, ...args], input);
    if (ran.code === 0) return ran.output;
    throw new Error(`kubectl --context=${context} ${args.join(' ')}: ${ran.errors}${ran.output}`);
  }

  tryKubectl(args: readonly string[], input = ''): Promise<Ran> {
    return this.#runKubectl([`--context=${federationContext}`, ...args], input);
  }

  #runKubectl(args: readonly string[], input: string): Promise<Ran> {
    const env = {
      KUBECONFIG: this.layout.kubeconfig,
      KUBECACHEDIR: join(this.layout.dir, 'kubectl-cache'),
    };
    return runProgram(findProgram('kubectl') ?? 'kubectl', args, { env, input });
  }

  pid(part: PartName): number | undefined {
    if (part === 'nats') return natsPid(this.layout.natsPidFile);
    return this.#parts.get(part)?.pid();
  }

  async kill(part: PartName): Promise<void> {
    if (part === 'nats') return this.#actOnNats('kill');
    this.#part(part).signal('SIGKILL');
    await this.#part(part).gone();
  }

  async start(part: PartName): Promise<void> {
    if (part === 'nats') return this.#actOnNats('start');
    await this.#part(part).start();
  }

  stop(part: PartName): void {
    this.#part(part).signal('SIGSTOP');
  }

  cont(part: PartName): void {
    this.#part(part).signal('SIGCONT');
  }

  async #actOnNats(verb: string): Promise<void> {
    const answer = await actOnNats(verb, this.layout.natsPidFile, clock);
    if (!answer.ok) throw new Error(answer.message);
  }

  #part(name: string): Part {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`no process ${name}`);
    return part;
  }

  startAgent({ id, member, cluster, token }: ExtraAgent): {
    log: () => string;
    end(): Promise<void>;
  } {
    const logPath = this.layout.logOf(id);
    const flags = {
      cluster,
      kubeconfig: this.#kubeconfigs.get(member) ?? '',
      coordinator: this.at('mesh'),
      token,
      'data-dir': join(this.layout.dir, id),
      'resolver-listen': '127.0.0.1:0',
      'admin-listen': '127.0.0.1:0',
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const program = { name: id, script: 'agent/main.js', args, logPath };
    const part = createPart(program, { clock, onUnexpectedEnd: () => undefined });
    this.#parts.set(id, part);
    part.start().catch(() => undefined); // refused agents say so in their log
    return { log: () => this.logOf(id), end: () => part.end(graceMs) };
  }

  logOf(part: PartName): string {
    try {
      return readFileSync(this.layout.logOf(part), 'utf8');
    } catch {
      return '';
    }
  }

  async metric(admin: string, name: string, labels = ''): Promise<number> {
    const signal = AbortSignal.timeout(5_000);
    const text = await (await fetch(`http://${this.at(admin)}/metrics`, { signal })).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(name) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async dnsFaults(healthy: readonly string[]): Promise<readonly string[]> {
    await this.#learnAddresses();
    const wanted = expectedAnswers(this.clusters, this.#addresses, new Set(healthy), scope);
    return differences(wanted, await this.answers());
  }

  async answers(): Promise<ReadonlyMap<string, string>> {
    const names = namesOfNginx(this.clusters);
    const replies = await Promise.all(names.map((name) => askDns(this.at('dns'), name, clock)));
    return new Map(names.map((name, index) => [name, toAnswer(replies[index])]));
  }

  async resolve(cluster: string, name = 'nginx.default.myfederation'): Promise<string> {
    return toAnswer(await askDns(this.at(`${cluster}/resolver`), name, clock));
  }

  async createNginx(): Promise<void> {
    await this.kubectl(federationContext, ['create', '-f', 'examples/services/nginx.yaml']);
    await Promise.all(
      this.clusters.map(async ({ name }) => {
        const run = ['run', 'nginx', '--image=nginx', '--port=80'];
        await this.kubectl(name, run);
        await eventually(20_000, async () =>
          publicAddressOf(await getNginx(this.kube(name))) === undefined
            ? [`no address in ${name}`]
            : [],
        );
      }),
    );
    const all = this.clusters.map(({ name }) => name);
    await eventually(30_000, () => this.dnsFaults(all));
  }

  async #learnAddresses(): Promise<void> {
    for (const { name } of this.clusters) {
      if (this.#addresses.has(name)) continue;
      const address = publicAddressOf(await getNginx(this.kube(name)));
      if (address === undefined) throw new Error(`the load balancer in ${name} has no address`);
      this.#addresses.set(name, address);
    }
  }

  async close(): Promise<void> {
    for (const kube of this.#kubes.values()) kube.close();
    const nats = natsPid(this.layout.natsPidFile);
    const isAgent = (name: string): boolean => name.endsWith('/agent');
    const end = (some: readonly Part[]): Promise<unknown> =>
      Promise.all(some.map((part) => part.end(graceMs)));
    const parts = [...this.#parts.values()];
    await end(parts.filter(({ name }) => isAgent(name)));
    await end(parts.filter(({ name }) => !isAgent(name)));
    // Only one that a killed coordinator left behind is still there.
    if (nats !== undefined && isAlive(nats)) signalIfThere(nats, 'SIGKILL');
    await this.#release?.();
    rmSync(this.layout.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
