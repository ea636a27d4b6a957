// The account of coordinator and agents as NATS servers hold it: an account JWT with the keys that
// are revoked. Whoever runs the servers decides how a revocation reaches them:
//
//   our operator      a request through the system account; a server cuts what is revoked within
//                     milliseconds. Not by a reload of its configuration: 2.9 cuts everybody then
//   their operator    nobody but they can change the account: a JWT's short life is the bound

import type { Clock } from '../../common/runtime/clock.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Nkey } from '../../common/runtime/nkeys.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { signAccount, type Revocations } from './nats-jwt.ts';
import { accountUpdateSubject } from './nats-permissions.ts';

export interface NatsAccount {
  /** Public key. */
  readonly publicKey: string;
  /** Signs its users: a signing key of it. */
  readonly signing: Nkey;
  /** Why a revocation does not work at once; undefined when it does. For people. */
  lateRevocation(): string | undefined;
  /** Resolves when servers have taken it, or when they never can. Throws MeshError retryable. */
  publish(revocations: Revocations): Promise<void>;
  /** Servers that start anew know only what their configuration says: tell them again so often. */
  readonly refreshMs: number | undefined;
  close(): Promise<void>;
}

export function signOurAccount(
  keys: { readonly operator: Nkey; readonly account: string; readonly signing: Nkey },
  issuedAtSeconds: number,
  revocations?: Revocations,
): string {
  return signAccount(keys.operator, {
    subject: keys.account,
    name: 'isthmus',
    issuedAtSeconds,
    signingKeys: [keys.signing.publicKey],
    revocations,
  });
}

const requestMs = 3_000;
const refreshMs = 60_000;

export function ourAccount(options: {
  readonly keys: { readonly operator: Nkey; readonly account: string; readonly signing: Nkey };
  /** A connection of the system account. Kept open: a handshake would take from the second. */
  readonly connectSystem: () => TelemetryBus;
  /** Where the next start of a server of ours reads it. */
  readonly onJwt: (jwt: string) => Promise<void>;
  /** In messages. */
  readonly where: string;
  /** The servers are not ours: they may start without our knowing. */
  readonly isExternal: boolean;
  readonly clock: Clock;
}): NatsAccount {
  const { keys, connectSystem, onJwt, where, isExternal, clock } = options;
  let failure: string | undefined;
  let system: TelemetryBus | undefined;
  return {
    publicKey: keys.account,
    signing: keys.signing,
    refreshMs: isExternal ? refreshMs : undefined,
    // Our own is told again within seconds, and its configuration says it in any case.
    lateRevocation: () =>
      failure === undefined || !isExternal
        ? undefined
        : `${where} takes no change of the account (${failure}); isthmus-coordinator nats config prints what it has to trust`,
    publish: async (revocations) => {
      const jwt = signOurAccount(keys, Math.floor(clock.now() / 1000), revocations);
      system ??= connectSystem();
      try {
        await Promise.all([onJwt(jwt), tellServers(system, keys.account, jwt, clock)]);
        failure = undefined;
      } catch (error) {
        if (error instanceof MeshError) failure = error.message;
        throw error;
      }
    },
    close: async () => system?.close(),
  };
}

export function theirAccount(options: {
  readonly publicKey: string;
  readonly signing: Nkey;
  readonly where: string;
}): NatsAccount {
  const { publicKey, signing, where } = options;
  return {
    publicKey,
    signing,
    refreshMs: undefined,
    lateRevocation: () =>
      `${where} has an operator of its own, which alone can revoke a user of account ${publicKey}`,
    publish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function tellServers(
  bus: TelemetryBus,
  account: string,
  jwt: string,
  clock: Clock,
): Promise<void> {
  await connected(bus, clock);
  const reply = await bus.request(accountUpdateSubject(account), Buffer.from(jwt), requestMs);
  const refusal = readRefusal(Buffer.from(reply).toString('utf8'));
  if (refusal !== undefined) throw new MeshError('retryable', 'NATS_ACCOUNT_REFUSED', refusal);
}

function connected(bus: TelemetryBus, clock: Clock): Promise<void> {
  if (bus.isConnected()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stop = bus.onConnection((isConnected) => {
      if (!isConnected) return;
      timer.cancel();
      resolve();
    });
    const timer = clock.after(requestMs, () => {
      stop();
      const why = 'the system account cannot connect';
      reject(new MeshError('retryable', 'BUS_DISCONNECTED', why));
    });
  });
}

/** `{"server":…,"data":{"code":200}}`, or `{"error":{"description":…}}`. */
function readRefusal(text: string): string | undefined {
  try {
    const { data, error } = JSON.parse(text) as {
      readonly data?: { readonly code?: number };
      readonly error?: { readonly description?: string };
    };
    if (data?.code === 200) return undefined;
    return error?.description ?? text.slice(0, 200);
  } catch {
    return `an answer that cannot be read: ${text.slice(0, 200)}`;
  }
}
