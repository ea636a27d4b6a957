#!/usr/bin/env -S node --no-memory-reducer --no-parallel-scavenge --no-allocation-site-pretenuring --max-semi-space-size=4 --heap-growing-percent=100 --no-compact --no-lazy --no-flush-bytecode
// isthmus-coordinator: reads its settings, constructs the adapters, starts the stages, and says
// on stdout when it is ready. Everything else it has to say goes to stderr. The flags keep the pauses
// of the garbage collector short: young objects are collected four times as often, a quarter as many at a time,
// without helpers that this thread has to wait for, and none is put among the old ones when it is made.
// All are collected when the heap has doubled, as in Go: V8 itself does it after a fifth, and marks a hundred
// megabytes each time. Old ones stay where they are, and new ones come into the holes; to move them is half of such a pause.
// All code is compiled when it is loaded, and stays so: half of what runs for the first time, or after a quiet hour, is
// compiling it, in somebody's turn. A start takes 0.2 s longer, and the process is 12 MB larger.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { invariant, MeshError } from '../common/pure/errors.ts';
import { startAdminServer } from '../common/runtime/admin-http.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { createLifecycle, endOnSignals, type Lifecycle } from '../common/runtime/lifecycle.ts';
import { createLog, describeError, type Log, type LogLevel } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { certificateHash } from '../common/runtime/certificates.ts';
import { watchGcPauses } from '../common/runtime/gc-pauses.ts';
import { startLagMeter } from '../common/runtime/lag.ts';
import { watchTurns } from '../common/runtime/loop-turns.ts';
import { makeRoomForFiles } from '../common/runtime/open-files.ts';
import { formatAddress, readSettings, type SettingValues } from '../common/runtime/settings.ts';
import { oneAtATime } from '../common/runtime/one-at-a-time.ts';
import { makePrivateFolder } from '../common/runtime/private-folder.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import { createTcpProber } from '../common/runtime/tcp-prober.ts';
import { addressOf, apiHosts, at, meshAddress, reachable } from './settings/addresses.ts';
import { openApiServer } from './api-server.ts';
import { parsePoolRanges } from './api/allocation/pool-ranges.ts';
import { createYamlReader } from './api/yaml/yaml-reader.ts';
import { startYamlThread } from './api/yaml/yaml-thread.ts';
import { reloadAll, type Base, type Reload } from './base.ts';
import { createDnsLookout } from './dns-lookout.ts';
import { createDnsProviders, loadDnsSdks } from './dns-providers.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import type { Authority } from './trust/authority.ts';
import { certificateLifetimeMs, joinApprovalOf } from './settings/join-settings.ts';
import { openKeys } from './trust/open-keys.ts';
import type { DataDir } from './trust/data-dir.ts';
import { createDesired } from './desired/desired-log.ts';
import { openLmdbStore } from './desired/lmdb-store.ts';
import { resealRecords, sealStore } from './desired/sealed-store.ts';
import { createSealer } from './desired/sealer.ts';
import type { Desired } from './desired/store.ts';
import { openKeyFile, rereadKeyFile, toDefaultKeyFile } from './trust/encryption-keys.ts';
import { createAuthority } from './session/certificate-authority.ts';
import { createGrpcListener } from './session/grpc-listener.ts';
import { openHostedAgents } from './hosted-agents.ts';
import { runKeysCommand } from './trust/keys-command.ts';
import { runNatsCommand } from './trust/nats-command.ts';
import { openNats, type Nats } from './telemetry-server.ts';
import { runTokensCommand } from './users/tokens-command.ts';
import { openUsers, type Users } from './users/users.ts';
import { rateLimitOf } from './settings/dns-settings.ts';
import { checkCoordinatorSettings, coordinatorProgram, poolTexts } from './settings/settings.ts';
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
  if (process.argv[2] === 'nats') {
    const argv = process.argv.slice(3);
    process.exitCode = await runNatsCommand({ argv, program: coordinatorProgram(readVersion()) });
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

/** A connection each, of clients and agents; more are taken, and the table then grows again. */
const filesExpected = 4_096;

async function run(
  settings: SettingValues,
  lifecycle: Lifecycle,
  log: Log,
  onReload: (reload: Reload) => void,
): Promise<void> {
  makeRoomForFiles(filesExpected);
  const metrics = createMetrics({ withProcess: true, clock });
  const lag = startLagMeter({
    thread: 'main',
    metrics,
    watchTurns,
    watchGc: watchGcPauses,
  });
  lifecycle.onClose({ name: 'lag meter', close: () => Promise.resolve(lag.stop()) });
  const base: Base = {
    onReload,
    settings,
    lifecycle,
    log,
    metrics,
    federation: settings.text('federation') ?? '',
    domain: settings.text('domain') ?? '',
    clock,
    chance,
  };
  const path = resolve(settings.text('data-dir') ?? '');
  const desired = await openDesired(base, path);
  const { dir, ...keys } = await openKeys(base, path, desired);
  const nats = await openNats(base, dir, desired);
  const users = await openUsers(base);
  const bus = nats.openBus();
  const started = { isReady: false };
  const readiness = (): Readonly<Record<string, string | undefined>> => ({
    stages: started.isReady ? undefined : 'the stages are starting',
    bus: bus.isConnected() ? undefined : 'NATS is not connected',
  });
  const coordinator = await openCoordinator(base, {
    ...keys,
    dir,
    desired,
    bus,
    nats,
    users,
    readiness,
  });
  const listen = addressOf(settings, 'dns-listen');
  const rateLimit = rateLimitOf(settings);
  const zone = await createZone({ ...base, desired, listen, rateLimit });
  lifecycle.onClose({ name: 'zone', close: () => zone.close() });
  await loadDnsSdks(desired);
  const meshPort = await coordinator.start();
  lifecycle.onClose({ name: 'coordinator', close: () => coordinator.stop() });
  const apiListen = addressOf(settings, 'api-listen');
  const { authenticate } = users;
  const api = await openApiServer({ ...base, api: coordinator.api, authenticate, dir });
  const adminPort = await openAdmin(base, readiness);
  const apiUrl = `https://${formatAddress({ host: reachable(apiListen.host), port: api.port })}`;
  await coordinator.publishApi({ hosts: apiHosts(settings), port: api.port });
  const kubeconfig = await dir.writeAdminKubeconfig(apiUrl);
  openHostedAgents(base, { desired, coordinator, path, meshPort });
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
  const driver = await openLmdbStore({ ...base, path: join(path, 'log') });
  const keyFile = settings.text('encryption-key-file') ?? toDefaultKeyFile(path);
  const keys = await openKeyFile({ path: keyFile, driver, clock, chance });
  const sealer = createSealer({ keys, chance });
  await resealRecords(driver, sealer, log);
  const desired = await createDesired({ ...base, store: sealStore(driver, sealer) });
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

function openCoordinator(
  base: Base,
  parts: {
    readonly dir: DataDir;
    readonly authority: Authority;
    readonly receiptKey: Uint8Array;
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
  const yaml = createYamlReader({ ...base, start: startYamlThread });
  base.lifecycle.onClose({ name: 'yaml', close: () => yaml.close() });
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
        certificates: dir.mesh,
        clock,
      }),
      authority: createAuthority({
        cas: parts.authority,
        federation,
        lifetimeMs: certificateLifetimeMs(settings),
        clock,
      }),
      telemetryUsers: nats,
      clock,
      chance,
      readYaml: yaml.read,
      openDnsProvider: createDnsProviders(base),
      dnsLookout: createDnsLookout({ settings, clock, chance }),
    },
    {
      federation,
      domain,
      ttlSeconds: settings.number('ttl-seconds') ?? 60,
      addressRules: { allowLoopback: settings.isOn('allow-loopback') },
      dnsOwnerId: settings.text('dns-owner-id'),
      receiptKey: parts.receiptKey,
      caHash: () => certificateHash(dir.ca.certPem),
      joinApproval: joinApprovalOf(settings),
      version: readVersion(),
      holder: `${hostname()}-${process.pid}`,
      serviceRanges,
      hostedExecCommands: settings.list('hosted-exec-commands'),
      meshAddress: (port) => meshAddress(settings, port),
      apiVersion: `v1.34.0+isthmus.${readVersion()}`,
      readiness,
      reviewToken: users.reviewToken,
      ...(users.audit === undefined ? {} : { audit: users.audit }),
    },
  );
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

function sayReady(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ ready: true, ...facts })}\n`);
}

/** From the package that this file was built into. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version?: unknown }).version); // our own file
}

void main();
