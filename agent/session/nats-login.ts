// The agent's login to NATS: a key of its own, whose seed never leaves it, and the user JWT that the
// coordinator gives for it, asked for anew at two thirds of its life. Next file: ../telemetry-bus.ts.

import {
  natsKeyText,
  type HeldNatsLogin,
  type NatsKey,
  type NatsLogin,
} from '../../common/model/session.ts';
import { describeLogin } from '../../common/pure/held-login.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { encodeSeed, openSeed, type Nkey } from '../../common/runtime/nkeys.ts';
import type { AgentRecord } from './record.ts';

/** What NATS knows the agent by. */
export type NatsUser =
  /** Not told yet, or refused. */
  | { readonly kind: 'none' }
  /** A coordinator that is older than logins. */
  | { readonly kind: 'certificate' }
  | {
      readonly kind: 'jwt';
      readonly jwt: string;
      readonly key: Nkey;
      /** On the agent's monotonic clock. */
      readonly endsAtMonotonicMs: number;
    };

/** Outlives the sessions: replicas of an agent have one each time that they lead. */
export interface NatsLoginKeeper {
  /** For Hello. Makes the key at the first call ever; the record keeps its seed. */
  key(record: Pick<AgentRecord, 'natsSeed' | 'writeNatsSeed'>): Promise<NatsKey>;
  /**
   * From a Welcome on renewals are asked for here. Returns the end of that: the next Welcome brings a
   * login, or says that the one that there is stands.
   */
  attach(ask: (key: NatsKey) => void): () => void;
  /** For Hello: the login that is held, unless it is over or a server has refused it. */
  held(): HeldNatsLogin | undefined;
  /** From Welcome, or the answer to a renewal. */
  accept(login: NatsLogin | undefined): void;
  /** From Welcome: what held() told of stays good, and is renewed when it would have been. */
  stands(): void;
  user(): NatsUser;
  /** Called at each change of user(). */
  onChange(listener: () => void): () => void;
  /** A server has not let the login in: asks for another, not too often. */
  refused(): void;
}

const renewFraction = 2 / 3;
// Together with the fraction: at the latest when nine tenths of the life are over.
const spreadFraction = 0.2;
// An answer takes a round trip; a refusal may be over in a minute.
const askAgainMs = 30_000;
const refusedWaitMs = 5_000;
const seedBytes = 32;

export function createNatsLoginKeeper(options: {
  readonly cluster: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): NatsLoginKeeper {
  const { cluster, clock, chance, log } = options;
  const listeners = new Set<() => void>();
  let opened: { readonly seed: string; readonly key: Nkey; readonly told: NatsKey } | undefined;
  let ask: ((key: NatsKey) => void) | undefined;
  let user: NatsUser = { kind: 'none' };
  let timer: Timer | undefined;
  let isAsked = false;
  let current: { readonly held: HeldNatsLogin | undefined; readonly renewAtMs: number } | undefined;

  const open = async (record: Pick<AgentRecord, 'natsSeed' | 'writeNatsSeed'>) => {
    let seed = record.natsSeed();
    if (seed === undefined) {
      seed = encodeSeed('user', chance.bytes(seedBytes));
      await record.writeNatsSeed(seed);
    }
    if (opened?.seed === seed) return opened;
    const key = openSeed(seed);
    const proof = key.sign(Buffer.from(natsKeyText(cluster)));
    opened = { seed, key, told: { publicKey: key.publicKey, proof } };
    return opened;
  };
  const askAfter = (delayMs: number): void => {
    timer?.cancel();
    timer = clock.after(delayMs, () => {
      if (opened !== undefined) ask?.(opened.told);
      askAfter(askAgainMs);
    });
  };
  const become = (next: NatsUser): void => {
    user = next;
    for (const listener of listeners) listener();
  };

  return {
    key: async (record) => (await open(record)).told,
    attach: (next) => {
      ask = next;
      return () => {
        if (ask !== next) return; // a later session has attached
        ask = undefined;
        timer?.cancel();
      };
    },
    held: () => {
      if (user.kind !== 'jwt' || clock.monotonicMs() >= user.endsAtMonotonicMs) return undefined;
      return current?.held;
    },
    accept: (login) => {
      isAsked = false;
      if (login === undefined) {
        timer?.cancel();
        if (user.kind !== 'certificate') become({ kind: 'certificate' });
        return;
      }
      if (login.kind === 'refused') {
        log.warn('no NATS login: reports are not heard', {
          reason: login.reason,
          detail: login.message,
        });
        return askAfter(askAgainMs); // a login that there is stays good until its end
      }
      if (opened === undefined) return; // Hello came first
      const fraction = renewFraction + spreadFraction * chance.fraction();
      const lifeMs = login.lifeSeconds * 1000;
      const nowMs = clock.monotonicMs();
      askAfter(lifeMs * fraction);
      current = { held: describeLogin(login.userJwt), renewAtMs: nowMs + lifeMs * fraction };
      const endsAtMonotonicMs = nowMs + lifeMs;
      become({ kind: 'jwt', jwt: login.userJwt, key: opened.key, endsAtMonotonicMs });
    },
    stands: () => {
      isAsked = false;
      askAfter(Math.max(0, (current?.renewAtMs ?? 0) - clock.monotonicMs()));
    },
    user: () => user,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    refused: () => {
      if (user.kind !== 'jwt' || isAsked) return;
      isAsked = true; // until an answer comes; the timer asks again
      current = undefined; // a session that begins anew is given another one
      askAfter(refusedWaitMs * chance.fraction());
    },
  };
}
