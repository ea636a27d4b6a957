// A nats-server in operator mode, the users of its account as the coordinator lets them in, and
// buses of agents that log in as real ones do. For the oldest server that we support and for the
// current one, where the machine has them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext, TestFn } from 'ava';
import { toClusterName, toLogKey, toRevision, type ClusterName } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { natsKeyText, type NatsKey, type NatsLogin } from '../../common/model/session.ts';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics, type Metrics } from '../../common/runtime/metrics.ts';
import { connectNats } from '../../common/runtime/nats-bus.ts';
import type { BusLogin } from '../../common/runtime/nats-bus-login.ts';
import { encodeSeed, openSeed, type Nkey } from '../../common/runtime/nkeys.ts';
import {
  createCa,
  issueClientCertificate,
  issueServerCertificate,
} from '../../common/runtime/pki.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { loadNatsKeys, type NatsKeys } from '../../coordinator/trust/nats-keys.ts';
import { ourAccount, type NatsAccount } from '../../coordinator/session/nats-account.ts';
import { signUser, type NatsPermissions } from '../../coordinator/session/nats-jwt.ts';
import {
  toCoordinatorPermissions,
  toSystemPermissions,
} from '../../coordinator/session/nats-permissions.ts';
import {
  findNatsServer,
  startNatsServer,
  type NatsServer,
  type NatsServerOptions,
} from '../../coordinator/session/nats-server.ts';
import {
  createNatsUsers,
  type NatsUsers,
  type NatsUsersOptions,
} from '../../coordinator/session/nats-users.ts';
import { toTrust } from '../../coordinator/trust/nats-trust.ts';
import { findPeer } from './find-peer.ts';
import { testWithPeers } from './peers.ts';
import { testWith } from './programs.ts';

const clock = systemClock;
const chance = systemChance;
const common = { clock, chance, log: silentLog, metrics: silentMetrics };
export const federation = 'myfederation';

export interface NatsVersion {
  /** `nats-server 2.9.10`, or which one is missing. */
  readonly name: string;
  readonly binary: string;
  readonly test: TestFn;
}

/** The one of the system's packages, which is the oldest that we support, and the current one. */
export const natsVersions: readonly NatsVersion[] = [
  toVersion(findNatsServer(), 'of the system', testWith('nats-server')),
  toVersion(pathOfPeer(), 'of the peers', testWithPeers('nats-server')),
];

function pathOfPeer(): string | undefined {
  const found = findPeer('nats-server');
  return 'path' in found ? found.path : undefined;
}

function toVersion(binary: string | undefined, which: string, test: TestFn): NatsVersion {
  if (binary === undefined) return { name: `nats-server ${which}`, binary: '', test };
  const text = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  const version = /\d+\.\d+\.\d+/.exec(text)?.[0] ?? which;
  return { name: `nats-server ${version}`, binary, test };
}

export interface NatsWorld {
  readonly ca: KeyPairPem;
  readonly desired: Desired;
  readonly keys: NatsKeys;
  readonly server: NatsServer;
  readonly options: NatsServerOptions;
  readonly users: NatsUsers;
  /** For another coordinator's users, at this server. */
  usersOptions(at: NatsServer): NatsUsersOptions;
  /** A Cluster with this uid stands in the log from now on; undefined: none. */
  putCluster(cluster: ClusterName, uid: string | undefined): Promise<void>;
  /** As over the session. */
  login(cluster: ClusterName, uid: string, key?: AgentKey): Promise<NatsLogin>;
  /** Logs in once and connects, again and again with the same JWT. */
  agent(cluster: ClusterName, options?: AgentOptions): Promise<TelemetryBus>;
  coordinator(): Promise<TelemetryBus>;
  /** A user of the account, whatever it may say and hear. */
  user(permissions: NatsPermissions, inboxPrefix: string): Promise<TelemetryBus>;
  bus(options: {
    readonly login: () => BusLogin | 'over' | undefined;
    readonly inboxPrefix: string;
    readonly metrics?: Metrics;
    readonly onLogin?: (listener: () => void) => () => void;
    readonly onRefused?: () => void;
  }): Promise<TelemetryBus>;
}

export interface AgentOptions {
  readonly uid?: string;
  readonly key?: AgentKey;
  readonly metrics?: Metrics;
}

export interface AgentKey {
  readonly key: Nkey;
  readonly told: NatsKey;
}

export interface WorldOptions {
  readonly lifeSeconds?: number;
  /** Another account than ours, or one that is reached otherwise. */
  readonly account?: (keys: NatsKeys) => NatsAccount;
}

export const one = toClusterName('one');
export const two = toClusterName('two');
const uids: ReadonlyMap<string, string> = new Map([
  [one, 'uid-1'],
  [two, 'uid-2'],
]);

export function makeAgentKey(cluster: ClusterName): AgentKey {
  const key = makeUserKey();
  const proof = key.sign(Buffer.from(natsKeyText(cluster)));
  return { key, told: { publicKey: key.publicKey, proof } };
}

export function makeUserKey(): Nkey {
  return openSeed(encodeSeed('user', chance.bytes(32)));
}

export async function openNatsWorld(
  t: ExecutionContext,
  binary: string,
  options: WorldOptions = {},
): Promise<NatsWorld> {
  // The clock's timers do not keep a process alive; in a program the listeners do.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  const ca = await createCa({ commonName: 'test', clock, validDays: 1 });
  const store = createMemoryStore({ disk: createMemoryDisk('store-1') });
  const desired = await createDesired({ ...common, store });
  const keys = await loadNatsKeys({ ...common, desired });
  const serverOptions: NatsServerOptions = {
    binary,
    dataDir: mkdtempSync(join(tmpdir(), 'isthmus-nats-')),
    listen: { host: '127.0.0.1', port: 0 },
    server: await issueServer(ca),
    caPem: ca.certPem,
    trust: toTrust(common, keys, desired),
    ...common,
  };
  const server = await startNatsServer(serverOptions);
  const pair = await issueClient(ca);
  const bus: NatsWorld['bus'] = async (of) => {
    const opened = connectNats({
      ...common,
      ...of,
      urls: server.urls(),
      name: 'test',
      tls: () => ({ caPem: ca.certPem, ...pair }),
    });
    t.teardown(() => opened.close());
    return opened;
  };
  const toLogin = (signer: Nkey, account: string, permissions: NatsPermissions) => {
    const key = makeUserKey();
    const issuedAtSeconds = Math.floor(clock.now() / 1000);
    const claim = { subject: key.publicKey, name: 'test', issuedAtSeconds };
    return () => ({ key, jwt: signUser(signer, { ...claim, account, permissions }) });
  };
  const toAccount = (at: NatsServer): NatsAccount =>
    options.account?.(keys) ??
    ourAccount({
      ...common,
      keys,
      connectSystem: () =>
        connectNats({
          ...common,
          urls: at.urls(),
          name: 'system',
          tls: () => ({ caPem: ca.certPem, ...pair }),
          login: toLogin(keys.system, keys.system.publicKey, toSystemPermissions(keys.account)),
          inboxPrefix: coordinatorInboxPrefix,
        }),
      onJwt: (jwt) => at.writeAccount(jwt),
      where: 'the test’s nats-server',
      isExternal: false,
    });
  const usersOptions = (at: NatsServer): NatsUsersOptions => ({
    ...common,
    desired,
    account: toAccount(at),
    federation,
    urls: () => at.urls(),
    trust: () => undefined,
    ...(options.lifeSeconds === undefined ? {} : { lifeSeconds: options.lifeSeconds }),
  });
  const { account } = usersOptions(server);
  const users = createNatsUsers(usersOptions(server));
  t.teardown(async () => {
    await users.stop();
    await server.stop();
    await desired.close();
    rmSync(serverOptions.dataDir, { recursive: true, force: true });
  });
  const user: NatsWorld['user'] = (permissions, inboxPrefix) =>
    bus({ login: toLogin(account.signing, account.publicKey, permissions), inboxPrefix });
  const world: NatsWorld = {
    ca,
    desired,
    keys,
    server,
    options: serverOptions,
    users,
    usersOptions,
    bus,
    user,
    putCluster: (cluster, uid) => putCluster(desired, cluster, uid),
    login: (cluster, uid, key = makeAgentKey(cluster)) =>
      users.login({ cluster, clusterUid: uid, publicKeyHash: `key of ${uid}` }, key.told),
    agent: async (cluster, { uid = uids.get(cluster) ?? '', key, metrics } = {}) => {
      const own = key ?? makeAgentKey(cluster);
      const login = await world.login(cluster, uid, own);
      const jwt = login.kind === 'granted' ? login.userJwt : '';
      return bus({
        login: () => ({ jwt, key: own.key }),
        inboxPrefix: clusterInboxPrefix(cluster),
        ...(metrics === undefined ? {} : { metrics }),
      });
    },
    coordinator: () => user(toCoordinatorPermissions(federation), coordinatorInboxPrefix),
  };
  for (const [name, uid] of uids) await world.putCluster(toClusterName(name), uid);
  return world;
}

/** With what checkPeer asks of a living one. */
async function putCluster(
  desired: Desired,
  name: ClusterName,
  uid: string | undefined,
): Promise<void> {
  const key = toLogKey({ group: isthmusGroup, resource: 'clusters', name });
  const object = uid === undefined ? undefined : toCluster(name, uid);
  const expected = desired.get(key)?.revision ?? toRevision(0);
  await desired.write({ key, object, expected });
}

function toCluster(name: ClusterName, uid: string) {
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: { name, uid },
    spec: {},
    status: { publicKeyHash: `key of ${uid}` },
  };
}

export function issueServer(ca: KeyPairPem): Promise<KeyPairPem> {
  return issueServerCertificate({
    ca,
    commonName: 'server',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    validDays: 1,
    clock,
  });
}

export function issueClient(ca: KeyPairPem): Promise<KeyPairPem> {
  return issueClientCertificate({
    ca,
    commonName: 'client',
    organizations: ['isthmus:clusters'],
    uris: [],
    validDays: 1,
    clock,
  });
}

export function connected(bus: TelemetryBus, wanted = true): Promise<void> {
  if (bus.isConnected() === wanted) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = bus.onConnection((isConnected) => {
      if (isConnected !== wanted) return;
      stop();
      resolve();
    });
  });
}

export const text = (payload: Uint8Array): string => Buffer.from(payload).toString('utf8');

/** Resolves with the subjects heard once `last` came: what was refused is not among them. */
export function hearUntil(
  bus: TelemetryBus,
  patterns: readonly string[],
  last: string,
): Promise<string[]> {
  const heard: string[] = [];
  return new Promise((resolve) => {
    for (const pattern of patterns) {
      bus.subscribe(pattern, ({ subject, payload }) => {
        heard.push(subject);
        if (text(payload) === last) resolve(heard);
      });
    }
  });
}

export async function retry<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}
