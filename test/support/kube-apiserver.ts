// A real kube-apiserver over a real etcd: what our API is compared with, and what our clients of
// member clusters talk to. Everything lies in one temporary folder and ends with stop().
//
// RBAC is on. No kubelet, no scheduler, no service accounts' tokens; controllers only when asked
// for. Input: the peers etcd, kube-apiserver and kube-controller-manager (./peers.ts).

import { createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { takeTestPorts } from './test-ports.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import {
  createCa,
  issueClientCertificate,
  issueServerCertificate,
} from '../../common/runtime/pki.ts';
import {
  apiserverFlags,
  controllerFlags,
  etcdFlags,
  type ControlPlanePorts,
} from '../../demo/real/flags.ts';
import { askJson, type AskedJson, type JsonAnswer } from './ask-json.ts';
import { eventually } from './eventually.ts';
import { peerPath } from './find-peer.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { writeTokenKubeconfig } from './token-kubeconfig.ts';

export interface KubeApiserverOptions {
  /** Of clusterIPs; by default 10.96.0.0/16. Two ranges with a comma make it dual-stack. */
  readonly serviceRange?: string;
  /** Runs the controllers of namespaces and of garbage: without, both stay where they are. */
  readonly isWithControllers?: boolean;
  /** Runs these controllers too, by their names for kube-controller-manager. */
  readonly controllers?: readonly string[];
  /** etcd flushes before it acknowledges, as in production. Default false: tests need no disk. */
  readonly isDurable?: boolean;
  /** More users with a token; see KubeApiserver.tokenOf. */
  readonly users?: readonly KubeUser[];
  /** More flags of kube-apiserver, which override those given here. */
  readonly flags?: readonly string[];
}

export interface KubeUser {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface KubeApiserver {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  readonly caFile: string;
  readonly ca: KeyPairPem;
  /** A client certificate in group system:masters. */
  readonly admin: KeyPairPem;
  /** A bearer token in group system:masters. */
  readonly adminToken: string;
  /** A kubeconfig of the admin's token. */
  readonly kubeconfig: string;
  /** The token of a user: `jane` of group developers, `nobody` without group, or one asked for. */
  tokenOf(user: string): string;
  /** Writes a kubeconfig for that user's token and returns its path. */
  kubeconfigOf(user: string): string;
  /** One request as admin, or as the user of another token. */
  ask(asked: AskedJson): Promise<JsonAnswer>;
  /** Of etcd, kube-apiserver and the controllers. */
  readonly pids: readonly number[];
  /** The last lines of the servers' logs. */
  logs(): string;
  /** Ends the processes, then removes the folder. */
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const admin: KubeUser = { name: 'admin', groups: ['system:masters'] };
const others: readonly KubeUser[] = [
  { name: 'jane', groups: ['developers'] },
  { name: 'nobody', groups: [] },
];
// It takes 2 to 4 seconds by itself; tests share two cores with builds.
const readyMs = 60_000;
const startsMax = 3;
const controllers = ['namespace-controller', 'garbage-collector-controller'];

/** Starts and waits until it answers as it will from then on. The caller stops it. */
export async function startKubeApiserver(
  options: KubeApiserverOptions = {},
): Promise<KubeApiserver> {
  for (let start = 1; ; start += 1) {
    const attempt = new Attempt(options);
    try {
      return await attempt.open();
    } catch (error) {
      const text = attempt.logs();
      await attempt.stop();
      // Another test can take a port between our look and the server's.
      if (start < startsMax && /address already in use/.test(text)) continue;
      throw new Error(`kube-apiserver did not start: ${String(error)}\n${text}`, { cause: error });
    }
  }
}

class Attempt {
  readonly #options: KubeApiserverOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'isthmus-apiserver-'));
  readonly #users: readonly KubeUser[];
  readonly #processes: ServerProcess[] = [];

  constructor(options: KubeApiserverOptions) {
    this.#options = options;
    this.#users = [admin, ...others, ...(options.users ?? [])];
  }

  async open(): Promise<KubeApiserver> {
    const ports = await this.#takePorts();
    const keys = await this.#writeKeys();
    const url = `https://${host}:${ports.api}`;
    this.#start('etcd', [
      ...etcdFlags(this.#folder, ports),
      // It lives as long as the test.
      ...(this.#options.isDurable === true ? [] : ['--unsafe-no-fsync']),
    ]);
    this.#start('kube-apiserver', [
      ...apiserverFlags(this.#folder, ports, this.#options.serviceRange ?? '10.96.0.0/16'),
      `--token-auth-file=${join(this.#folder, 'tokens.csv')}`,
      ...(this.#options.flags ?? []),
    ]);
    const server: KubeApiserver = {
      url,
      caFile: join(this.#folder, 'ca.crt'),
      ...keys,
      adminToken: tokenOf(admin.name),
      kubeconfig: this.#kubeconfigOf(url, admin.name),
      tokenOf: (user) => tokenOf(this.#known(user)),
      kubeconfigOf: (user) => this.#kubeconfigOf(url, this.#known(user)),
      ask: (asked) => askJson({ url, caPem: keys.ca.certPem, token: tokenOf(admin.name) }, asked),
      pids: [],
      logs: () => this.logs(),
      stop: () => this.stop(),
    };
    await this.#untilReady(server);
    const running = [
      ...(this.#options.isWithControllers === true ? controllers : []),
      ...(this.#options.controllers ?? []),
    ];
    if (running.length > 0)
      this.#start(
        'kube-controller-manager',
        controllerFlags(this.#folder, server.kubeconfig, running),
      );
    return { ...server, pids: this.#processes.flatMap(({ pid }) => pid ?? []) };
  }

  logs(): string {
    return this.#processes.map(({ name, logs }) => `${name}: ${logs()}`).join('\n');
  }

  async stop(): Promise<void> {
    // Those that depend on another first.
    for (const running of [...this.#processes].reverse()) await running.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(name: string, flags: readonly string[]): void {
    this.#processes.push(startServerProcess({ name, path: peerPath(name), flags }));
  }

  async #takePorts(): Promise<ControlPlanePorts> {
    const taken = await takeTestPorts(['api', 'etcd', 'etcdPeer']);
    const of = (name: string): number => taken.get(name) ?? 0;
    return { api: of('api'), etcd: of('etcd'), etcdPeer: of('etcdPeer') };
  }

  async #writeKeys(): Promise<{ readonly ca: KeyPairPem; readonly admin: KeyPairPem }> {
    const common = { validDays: 1, clock: systemClock };
    const ca = await createCa({ ...common, commonName: 'peer CA' });
    const server = await issueServerCertificate({
      ...common,
      ca,
      commonName: 'kube-apiserver',
      dnsNames: ['localhost', 'kubernetes.default.svc'],
      ipAddresses: [host],
    });
    const client = await issueClientCertificate({
      ...common,
      ca,
      commonName: admin.name,
      organizations: admin.groups,
    });
    this.#write('ca.crt', ca.certPem);
    this.#write('server.crt', server.certPem);
    this.#write('server.key', server.keyPem);
    // Signs service accounts' tokens, of which none is used.
    this.#write('accounts.key', server.keyPem);
    this.#write(
      'accounts.pub',
      createPublicKey(server.keyPem).export({ format: 'pem', type: 'spki' }) as string,
    );
    const rows = this.#users.map(
      ({ name, groups }) => `${tokenOf(name)},${name},${name},"${groups.join(',')}"`,
    );
    this.#write('tokens.csv', `${rows.join('\n')}\n`);
    mkdirSync(join(this.#folder, 'etcd'), { mode: 0o700 });
    return { ca, admin: client };
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#folder, name), text, { mode: 0o600 });
  }

  #known(name: string): string {
    if (this.#users.some((user) => user.name === name)) return name;
    throw new Error(`no token for user ${name}: name it in the option users`);
  }

  #kubeconfigOf(server: string, user: string): string {
    const path = join(this.#folder, `${user}.kubeconfig`);
    const caFile = join(this.#folder, 'ca.crt');
    writeTokenKubeconfig(path, { server, caFile, user, token: tokenOf(user) });
    return path;
  }

  /** Ready, and its own controllers have made what every cluster has. */
  async #untilReady(server: KubeApiserver): Promise<void> {
    const paths = [
      '/readyz',
      '/api/v1/namespaces/default',
      '/api/v1/namespaces/default/services/kubernetes',
    ];
    const ended = this.#processes.map(({ ended: each }) => each);
    const ready = eventually(readyMs, async () => {
      const answers = await Promise.all(paths.map((path) => server.ask({ path })));
      return answers.flatMap(({ status }, at) => (status === 200 ? [] : `${paths[at]}: ${status}`));
    });
    await Promise.race([ready, ...ended]);
  }
}

function tokenOf(user: string): string {
  return `token-of-${user}`;
}
