#!/usr/bin/env node
// isthmus-coordinator: reads its settings, constructs the adapters, starts the stages, and says
// on stdout when it is ready. Everything else it has to say goes to stderr.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { isthmusGroup } from '../common/model/isthmus-kinds.ts';
import { toClusterName, toLogPrefix } from '../common/model/ids.ts';
import { coordinatorInboxPrefix } from '../common/pure/inbox.ts';
import { invariant, MeshError } from '../common/pure/errors.ts';
import { startAdminServer } from '../common/runtime/admin-http.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { createLifecycle, endOnSignals, type Lifecycle } from '../common/runtime/lifecycle.ts';
import { createLog, describeError, type Log, type LogLevel } from '../common/runtime/log.ts';
import { createMetrics, type MetricsRegistry } from '../common/runtime/metrics.ts';
import { connectNats } from '../common/runtime/nats-bus.ts';
import { certificateHash } from '../common/runtime/certificates.ts';
import { startLagMeter } from '../common/runtime/lag.ts';
import { threadCpuMs } from '../common/runtime/thread-cpu.ts';
import {
  formatAddress,
  readSettings,
  type Address,
  type SettingValues,
} from '../common/runtime/settings.ts';
import { oneAtATime } from '../common/runtime/one-at-a-time.ts';
import { makePrivateFolder } from '../common/runtime/private-folder.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import { createTcpProber } from '../common/runtime/tcp-prober.ts';
import { openApiServer } from './api-server.ts';
import { parsePoolRanges } from './api/allocation/pool-ranges.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import { loadAuthorityKeys } from './authority-keys.ts';
import { openDataDir, readFormerKeys, removeFormerKeys, type DataDir } from './data-dir.ts';
import { createDesired } from './desired/desired-log.ts';
import { openLmdbStore } from './desired/lmdb-store.ts';
import { resealRecords, sealStore } from './desired/sealed-store.ts';
import { createSealer } from './desired/sealer.ts';
import type { Desired } from './desired/store.ts';
import { openKeyFile, rereadKeyFile, toDefaultKeyFile } from './encryption-keys.ts';
import { createAuthority } from './session/certificate-authority.ts';
import { createGrpcListener } from './session/grpc-listener.ts';
import type { TelemetryUsers } from './session/stage.ts';
import { findNatsServer, startNatsServer } from './session/nats-server.ts';
import { runKeysCommand } from './keys-command.ts';
import { runTokensCommand } from './tokens-command.ts';
import { openUsers, type Users } from './users.ts';
import { checkCoordinatorSettings, coordinatorProgram, poolTexts } from './settings.ts';
import { createZone } from './zone/zone.ts';

const clock = systemClock;
const chance = systemChance;
const exitUsage = 2;
/** A program that we need is missing; the message names the command that installs it. */
const exitMissing = 3;

async function main(): Promise<void> {
  if (process.argv[2] === 'keys') {
    const argv = process.argv.slice(3);
    process.exitCode = await runKeysCommand({ argv, program: coordinatorProgram(readVersion()) });
    return;
  }
  if (process.argv[2] === 'tokens') {
    process.exitCode = runTokensCommand({
      argv: process.argv.slice(3),
      readInput: () => readFileSync(0, 'utf8'),
      bytes: (count) => chance.bytes(count),
      out: (text) => process.stdout.write(text),
      say: (text) => process.stderr.write(text),
    });
    return;
  }
  const outcome = readSettings(coordinatorProgram(readVersion()), {
    argv: process.argv.slice(2),
    env: process.env,
  });
  if (outcome.kind === 'print') {
    process.stdout.write(outcome.text);
    return;
  }
  const wrong = outcome.kind === 'run' ? checkCoordinatorSettings(outcome.values) : outcome.message;
  if (outcome.kind !== 'run' || wrong !== undefined) {
    process.stderr.write(`${wrong}\n`);
    process.exitCode = exitUsage;
    return;
  }
  const log = createLog({
    level: (outcome.values.text('log-level') ?? 'info') as LogLevel, // one of its choices
    format: outcome.values.text('log-format') === 'pretty' ? 'pretty' : 'json',
    name: 'isthmus-coordinator',
  });
  const lifecycle = createLifecycle({ clock, log });
  const reloads: Reload[] = [];
  endOnSignals(
    lifecycle,
    log,
    oneAtATime(() => reloadAll(reloads, log)),
  );
  try {
    await run(outcome.values, lifecycle, log, (reload) => void reloads.push(reload));
  } catch (error) {
    log.error('cannot start', { error: describeError(error) });
    await lifecycle.close();
    process.exit(
      error instanceof MeshError && error.code === 'NATS_SERVER_MISSING' ? exitMissing : 1,
    );
  }
}

/** What every adapter of this process is given. */
interface Base {
  readonly settings: SettingValues;
  readonly lifecycle: Lifecycle;
  /** Adds something to do on SIGHUP. */
  readonly onReload: (reload: Reload) => void;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly federation: string;
  readonly domain: string;
}

interface Reload {
  readonly name: string;
  readonly reload: () => Promise<void>;
}

/** On SIGHUP: files that may change under a running coordinator are read again. */
async function reloadAll(reloads: readonly Reload[], log: Log): Promise<void> {
  for (const { name, reload } of reloads) {
    try {
      await reload();
      log.info('reloaded', { part: name });
    } catch (error) {
      log.error('not reloaded: the former stays', { part: name, error: describeError(error) });
    }
  }
}

async function run(
  settings: SettingValues,
  lifecycle: Lifecycle,
  log: Log,
  onReload: (reload: Reload) => void,
): Promise<void> {
  const metrics = createMetrics({ withProcess: true });
  const lag = startLagMeter({ clock, metrics, cpuMs: threadCpuMs });
  lifecycle.onClose({ name: 'lag meter', close: () => Promise.resolve(lag.stop()) });
  const base: Base = {
    onReload,
    settings,
    lifecycle,
    log,
    metrics,
    federation: settings.text('federation') ?? '',
    domain: settings.text('domain') ?? '',
  };
  const path = resolve(settings.text('data-dir') ?? '');
  const desired = await openDesired(base, path);
  const dir = await openKeys(base, path, desired);
  const nats = await openNats(base, dir, desired);
  const users = await openUsers({ ...base, clock });
  const bus = openBus(base, dir, nats);
  const started = { isReady: false };
  const readiness = (): Readonly<Record<string, string | undefined>> => ({
    stages: started.isReady ? undefined : 'the stages are starting',
    bus: bus.isConnected() ? undefined : 'NATS is not connected',
  });
  const coordinator = await openCoordinator(base, { dir, desired, bus, nats, users, readiness });
  const listen = addressOf(settings, 'dns-listen');
  const zone = await createZone({ ...base, desired, listen, clock });
  lifecycle.onClose({ name: 'zone', close: () => zone.close() });
  const meshPort = await coordinator.start();
  lifecycle.onClose({ name: 'coordinator', close: () => coordinator.stop() });
  const apiListen = addressOf(settings, 'api-listen');
  const { authenticate } = users;
  const api = await openApiServer({ ...base, api: coordinator.api, authenticate, dir, clock });
  const adminPort = await openAdmin(base, readiness);
  const apiUrl = `https://${formatAddress({ host: reachable(apiListen.host), port: api.port })}`;
  await coordinator.publishApi({ hosts: apiHosts(settings), port: api.port });
  const kubeconfig = await dir.writeAdminKubeconfig(apiUrl);
  started.isReady = true;
  sayReady({
    api: apiUrl,
    mesh: at(settings, 'mesh-listen', meshPort),
    nats: nats.urls()[0] ?? '',
    dns: at(settings, 'dns-listen', zone.port),
    admin: `http://${at(settings, 'admin-listen', adminPort)}`,
    kubeconfig,
    pids: { nats: nats.pid() },
  });
}

async function openDesired(base: Base, path: string): Promise<Desired> {
  const { settings, log } = base;
  makePrivateFolder(path);
  const driver = await openLmdbStore({ ...base, path: join(path, 'log'), chance });
  const keyFile = settings.text('encryption-key-file') ?? toDefaultKeyFile(path);
  const keys = await openKeyFile({ path: keyFile, driver, clock, chance });
  const sealer = createSealer({ keys, chance });
  await resealRecords(driver, sealer, log);
  const desired = await createDesired({ ...base, store: sealStore(driver, sealer), clock });
  base.lifecycle.onClose({ name: 'desired', close: () => desired.close() });
  base.onReload({
    name: 'encryption keys',
    reload: async () => {
      const sealingId = sealer.sealingId();
      sealer.replaceKeys(await rereadKeyFile({ path: keyFile, driver, sealingId }));
      await resealRecords(driver, sealer, log);
    },
  });
  return desired;
}

/** The federation's keys, from the log; certificates for this process. */
async function openKeys(base: Base, path: string, desired: Desired): Promise<DataDir> {
  const { federation } = base;
  const former = await readFormerKeys(path);
  const keys = await loadAuthorityKeys({ desired, federation, former, clock, chance });
  if (former !== undefined) await removeFormerKeys(path);
  return openDataDir({ path, federation, keys, hosts: hostsOf(base.settings), clock });
}

function openBus(base: Base, dir: DataDir, nats: Nats): TelemetryBus {
  const bus = connectNats({
    ...base,
    urls: nats.ownUrls(),
    name: 'isthmus-coordinator',
    tls: { caPem: dir.ca.certPem, ...dir.natsClient },
    inboxPrefix: coordinatorInboxPrefix,
    clock,
    chance,
  });
  base.lifecycle.onClose({ name: 'bus', close: () => bus.close() });
  return bus;
}

function openCoordinator(
  base: Base,
  parts: {
    readonly dir: DataDir;
    readonly desired: Desired;
    readonly bus: TelemetryBus;
    readonly nats: Nats;
    readonly users: Users;
    readonly readiness: () => Readonly<Record<string, string | undefined>>;
  },
): Promise<Coordinator> {
  const { settings, federation, domain } = base;
  const { dir, desired, bus, nats, users, readiness } = parts;
  const listen = addressOf(settings, 'mesh-listen');
  const serviceRanges = parsePoolRanges(poolTexts(settings));
  invariant(typeof serviceRanges !== 'string', 'the settings were checked before');
  return createCoordinator(
    {
      ...base,
      desired,
      bus,
      prober: createTcpProber({ clock }),
      listener: createGrpcListener({
        ...base,
        listen,
        server: dir.server,
        caPem: dir.ca.certPem,
        clock,
      }),
      authority: createAuthority({ ca: dir.ca, federation, clock }),
      telemetryUsers: nats,
      clock,
      chance,
    },
    {
      federation,
      domain,
      ttlSeconds: settings.number('ttl-seconds') ?? 60,
      addressRules: { allowLoopback: settings.isOn('allow-loopback') },
      receiptKey: dir.receiptKey,
      caHash: certificateHash(dir.ca.certPem),
      holder: `${hostname()}-${process.pid}`,
      serviceRanges,
      apiVersion: `v1.34.0+isthmus.${readVersion()}`,
      readiness,
      reviewToken: users.reviewToken,
      ...(users.audit === undefined ? {} : { audit: users.audit }),
    },
  );
}

interface Nats extends TelemetryUsers {
  ownUrls(): readonly string[];
  pid(): number | undefined;
}

/** Our own nats-server, whose users are the clusters, or one that somebody else runs. */
async function openNats(base: Base, dir: DataDir, desired: Desired): Promise<Nats> {
  const { settings, federation, lifecycle, log } = base;
  const url = settings.text('nats-url');
  if (url !== undefined) {
    return {
      urls: () => [url],
      ownUrls: () => [url],
      allow: () => Promise.resolve(),
      revoke: (cluster) => {
        log.warn('remove the cluster’s user from your NATS too', { cluster });
        return Promise.resolve();
      },
      pid: () => undefined,
    };
  }
  const binary = settings.text('nats-server') ?? findNatsServer();
  if (binary === undefined) {
    throw new MeshError(
      'fatal',
      'NATS_SERVER_MISSING',
      'nats-server is not on PATH; install it (apt-get install -y nats-server), or name it with --nats-server, or use a NATS of your own with --nats-url',
    );
  }
  const clusters = [...desired.list(toLogPrefix(isthmusGroup, 'clusters'))].map(({ object }) => ({
    name: toClusterName(object.metadata.name),
    uid: object.metadata.uid ?? '',
  }));
  const server = await startNatsServer({
    binary,
    dataDir: join(dir.path, 'nats'),
    listen: addressOf(settings, 'nats-listen'),
    advertiseHost: settings.list('advertise')[0],
    server: dir.server,
    caPem: dir.ca.certPem,
    federation,
    coordinatorUri: dir.coordinatorUri,
    clusters,
    clock,
    log,
  });
  lifecycle.onClose({ name: 'nats-server', close: () => server.stop() });
  return server;
}

async function openAdmin(
  { settings, lifecycle, metrics }: Base,
  readiness: () => Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const admin = await startAdminServer({
    listen: addressOf(settings, 'admin-listen'),
    checks: { stages: () => readiness()['stages'], bus: () => readiness()['bus'] },
    metrics: () => metrics.expose(),
  });
  lifecycle.onClose({ name: 'admin', close: () => admin.close() });
  return admin.port;
}

function addressOf(settings: SettingValues, name: string): Address {
  return settings.address(name) ?? { host: '127.0.0.1', port: 0 }; // every address has a default
}

/** Names for certificates: what was asked for, and what we listen on. */
function hostsOf(settings: SettingValues): readonly string[] {
  const listened = ['api-listen', 'mesh-listen', 'nats-listen'].map(
    (name) => addressOf(settings, name).host,
  );
  const hosts = [...settings.list('advertise'), ...listened, hostname()];
  return [...new Set(hosts)].filter((host) => host !== '0.0.0.0' && host !== '::');
}

/** As a kube-apiserver advertises itself: as told, else where it listens, else the host's own. */
function apiHosts(settings: SettingValues): readonly string[] {
  const told = settings.list('advertise').filter((host) => isIP(host) !== 0);
  if (told.length > 0) return told;
  const { host } = addressOf(settings, 'api-listen');
  if (isIP(host) !== 0 && host !== '0.0.0.0' && host !== '::') return [host];
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const outer = own.find(({ internal, family }) => !internal && family === 'IPv4');
  return [outer?.address ?? reachable(host)];
}

function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

function at(settings: SettingValues, name: string, port: number): string {
  return formatAddress({ host: reachable(addressOf(settings, name).host), port });
}

function sayReady(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ ready: true, ...facts })}\n`);
}

/** From the package that this file was built into. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version?: unknown }).version); // our own file
}

void main();
