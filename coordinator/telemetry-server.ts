// The NATS that carries telemetry, in operator mode: our own nats-server, supervised, or one that
// somebody else runs; who may log in to it; and the coordinator's own connection.
//
//   what runs                     who vouches for the account        a revocation works
//   our nats-server               our operator                       at once
//   --nats-url                    our operator (nats config)         at once
//   --nats-url --nats-account     theirs                             when the login ends

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NatsTrust } from '../common/model/session.ts';
import { MeshError } from '../common/pure/errors.ts';
import { coordinatorInboxPrefix } from '../common/pure/inbox.ts';
import { connectNats } from '../common/runtime/nats-bus.ts';
import type { BusLogin } from '../common/runtime/nats-bus-login.ts';
import { encodeSeed, openSeed, type Nkey } from '../common/runtime/nkeys.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import { addressOf } from './settings/addresses.ts';
import type { Base } from './base.ts';
import type { DataDir } from './trust/data-dir.ts';
import type { Desired } from './desired/store.ts';
import { loadNatsKeys, type NatsKeys } from './trust/nats-keys.ts';
import { toTrust, writeTrust } from './trust/nats-trust.ts';
import { ourAccount, theirAccount, type NatsAccount } from './session/nats-account.ts';
import type { NatsTrustInput } from './session/nats-config.ts';
import { signUser } from './session/nats-jwt.ts';
import { toCoordinatorPermissions, toSystemPermissions } from './session/nats-permissions.ts';
import { findNatsServer, startNatsServer, type NatsServer } from './session/nats-server.ts';
import { createNatsUsers } from './session/nats-users.ts';
import type { TelemetryUsers } from './session/stage.ts';

/** The NATS of the mesh: whose users come and go with the clusters. */
export interface Nats extends TelemetryUsers {
  /** The coordinator's own connection. */
  openBus(): TelemetryBus;
  pid(): number | undefined;
}

/** Servers, as they are reached and known. */
interface Servers {
  /** Told to agents. */
  urls(): readonly string[];
  /** For the coordinator itself: what agents dial may lead through a NAT or a load balancer. */
  ownUrls(): readonly string[];
  trust(): NatsTrust | undefined;
  pid(): number | undefined;
}

const seedBytes = 32;

export async function openNats(base: Base, dir: DataDir, desired: Desired): Promise<Nats> {
  const { settings, federation, lifecycle } = base;
  const isExternal = settings.list('nats-url').length > 0;
  const keys = await loadNatsKeys({ ...base, desired });
  await writeTrust(dir.path, toTrust(base, keys));
  const own = isExternal ? undefined : await startOwn(base, dir, toTrust(base, keys, desired));
  const servers = own ?? (await readExternal(base));
  const account =
    settings.text('nats-account') === undefined
      ? openOurAccount(base, dir, keys, servers, own)
      : await openTheirAccount(base);
  const users = createNatsUsers({
    ...base,
    desired,
    account,
    federation,
    urls: servers.urls,
    trust: servers.trust,
  });
  lifecycle.onClose({ name: 'nats-users', close: () => users.stop() });
  return {
    ...users,
    pid: servers.pid,
    openBus: () => {
      const bus = connect(base, dir, servers, {
        name: 'isthmus-coordinator',
        login: toCoordinatorLogin(base, account),
      });
      bus.onConnection((isConnected) => {
        if (isConnected && isExternal) users.tellAgain(); // it may have started anew
      });
      lifecycle.onClose({ name: 'bus', close: () => bus.close() });
      return bus;
    },
  };
}

async function startOwn(
  base: Base,
  dir: DataDir,
  trust: NatsTrustInput,
): Promise<Servers & Pick<NatsServer, 'writeAccount'>> {
  const { settings, lifecycle, log, clock } = base;
  const binary = settings.text('nats-server') ?? findNatsServer();
  if (binary === undefined) {
    throw new MeshError(
      'fatal',
      'NATS_SERVER_MISSING',
      'nats-server is not on PATH; install it (apt-get install -y nats-server), or name it with --nats-server, or use a NATS of your own with --nats-url',
    );
  }
  const server = await startNatsServer({
    binary,
    dataDir: join(dir.path, 'nats'),
    listen: addressOf(settings, 'nats-listen'),
    advertiseHost: settings.list('advertise')[0],
    server: dir.server,
    caPem: dir.trustedPem(),
    trust,
    clock,
    log,
  });
  lifecycle.onClose({ name: 'nats-server', close: () => server.stop() });
  const stop = keepCertificate(base, dir, server);
  lifecycle.onClose({ name: 'nats certificate', close: () => Promise.resolve(stop()) });
  return {
    urls: () => server.urls(),
    ownUrls: () => server.ownUrls(),
    trust: () => undefined,
    pid: () => server.pid(),
    writeAccount: (jwt) => server.writeAccount(jwt),
  };
}

/** The server's certificate is made anew well before it ends, as that of the API is. */
function keepCertificate({ log }: Base, dir: DataDir, server: NatsServer): () => void {
  return dir.onChange(() => {
    server.replaceCertificates({ server: dir.server, caPem: dir.trustedPem() }).then(
      () => log.info('certificate of nats-server replaced'),
      (error: unknown) => log.error('certificate of nats-server not replaced', { error }),
    );
  });
}

/** Its CAs are read again on SIGHUP; agents hear of them with their next session. */
async function readExternal({ settings, onReload }: Base): Promise<Servers> {
  const urls = settings.list('nats-url');
  const caFile = settings.text('nats-ca-file');
  let trust: NatsTrust = caFile === undefined ? { kind: 'publicCas' } : await readCas(caFile);
  if (caFile !== undefined) {
    onReload({
      name: 'CAs of NATS',
      reload: async () => {
        trust = await readCas(caFile);
      },
    });
  }
  return { urls: () => urls, ownUrls: () => urls, trust: () => trust, pid: () => undefined };
}

async function readCas(path: string): Promise<NatsTrust> {
  const caPem = await readSettingFile('nats-ca-file', path);
  if (caPem.includes('-----BEGIN CERTIFICATE-----')) return { kind: 'cas', caPem };
  throw new MeshError('fatal', 'NATS_CA', `--nats-ca-file: ${path} holds no certificate`);
}

function openOurAccount(
  base: Base,
  dir: DataDir,
  keys: NatsKeys,
  servers: Servers,
  own: Pick<NatsServer, 'writeAccount'> | undefined,
): NatsAccount {
  return ourAccount({
    ...base,
    keys,
    connectSystem: () =>
      connect(base, dir, servers, {
        name: 'isthmus-coordinator system',
        login: toSystemLogin(base, keys),
      }),
    onJwt: (jwt) => own?.writeAccount(jwt) ?? Promise.resolve(),
    where: own === undefined ? `NATS at ${servers.urls().join(', ')}` : 'our nats-server',
    isExternal: own === undefined,
  });
}

async function openTheirAccount({ settings }: Base): Promise<NatsAccount> {
  const path = settings.text('nats-signing-seed-file') ?? '';
  const text = await readSettingFile('nats-signing-seed-file', path);
  // A file of nothing but the seed, or one as `nsc generate creds` and nk write it.
  const seed = /\bSA[A-Z2-7]{56}\b/.exec(text)?.[0];
  if (seed === undefined) {
    throw new MeshError(
      'fatal',
      'NATS_SEED',
      `--nats-signing-seed-file: ${path} holds no seed of an account's key (SA and 56 letters and digits)`,
    );
  }
  return theirAccount({
    publicKey: settings.text('nats-account') ?? '',
    signing: openSeed(seed),
    where: `NATS at ${settings.list('nats-url').join(', ')}`,
  });
}

async function readSettingFile(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshError('fatal', 'SETTING_FILE', `--${name}: ${path} cannot be read`, error);
  }
}

function connect(
  base: Base,
  dir: DataDir,
  { ownUrls, trust }: Servers,
  { name, login }: { readonly name: string; readonly login: () => BusLogin },
): TelemetryBus {
  const { settings, log } = base;
  const urls = ownUrls();
  let isTold = false; // once for each connection that is lost
  const bus = connectNats({
    ...base,
    urls,
    name,
    tls: () => ({ caPem: toCaPem(dir, trust()), ...dir.natsClient }),
    login,
    onRefused: () => {
      if (!isTold)
        log.error('NATS does not let the coordinator in', { urls, hint: hint(settings) });
      isTold = true;
    },
    inboxPrefix: coordinatorInboxPrefix,
  });
  bus.onConnection(() => (isTold = false));
  return bus;
}

function hint(settings: Base['settings']): string {
  return settings.text('nats-account') === undefined
    ? 'its servers have to trust what `isthmus-coordinator nats config` prints, and to be started again after a change of that'
    : '--nats-account has to be an account there, and --nats-signing-seed-file the seed of one of its signing keys';
}

function toCaPem(dir: DataDir, trust: NatsTrust | undefined): string | undefined {
  if (trust === undefined) return dir.trustedPem();
  return trust.kind === 'cas' ? trust.caPem : undefined;
}

/** Its key lives as long as this process, and so is its login: it has no end of its own. */
function toCoordinatorLogin(
  { federation, chance, clock }: Base,
  account: NatsAccount,
): () => BusLogin {
  const key = makeUserKey(chance);
  return () => ({
    key,
    jwt: signUser(account.signing, {
      subject: key.publicKey,
      name: `${federation} coordinator`,
      issuedAtSeconds: Math.floor(clock.now() / 1000),
      account: account.publicKey,
      permissions: toCoordinatorPermissions(federation),
    }),
  });
}

function toSystemLogin({ chance, clock }: Base, { system, account }: NatsKeys): () => BusLogin {
  const key = makeUserKey(chance);
  return () => {
    const issuedAtSeconds = Math.floor(clock.now() / 1000);
    const jwt = signUser(system, {
      subject: key.publicKey,
      name: 'isthmus coordinator',
      issuedAtSeconds,
      account: system.publicKey,
      permissions: toSystemPermissions(account),
    });
    return { key, jwt };
  };
}

function makeUserKey(chance: Base['chance']): Nkey {
  return openSeed(encodeSeed('user', chance.bytes(seedBytes)));
}
