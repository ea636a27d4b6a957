// The keys of NATS' operator mode: one record of the log, made at the first start and kept, sealed
// at rest as the CA is.
//
//   operator   vouches for the accounts; servers trust it by its JWT
//   system     account through which servers take changes of accounts
//   account    that of coordinator and agents; only its name is kept, since nothing is ever signed
//              with it
//   signing    signs users of that account

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import {
  encodeSeed,
  openSeed,
  publicKeyKind,
  type Nkey,
  type NkeyKind,
} from '../../common/runtime/nkeys.ts';
import type { Desired } from '../desired/store.ts';

export interface NatsKeys {
  readonly operator: Nkey;
  readonly system: Nkey;
  /** Public key. */
  readonly account: string;
  readonly signing: Nkey;
}

const key = toLogKey({ group: isthmusGroup, resource: 'authorities', name: 'nats' });
const seedBytes = 32;

interface Spec {
  readonly operatorSeed: string;
  readonly systemSeed: string;
  readonly account: string;
  readonly signingSeed: string;
}

/** Throws MeshError fatal STORE_CORRUPT. */
export async function loadNatsKeys(options: {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<NatsKeys> {
  const { desired, clock, chance } = options;
  const known = desired.get(key);
  if (known !== undefined) return parse(known.object.spec);
  const outcome = await desired.write({
    key,
    object: {
      apiVersion: isthmusApiVersion,
      kind: 'Authority',
      metadata: { name: 'nats', creationTimestamp: toTimestamp(clock.now()) },
      spec: make(chance),
    },
    expected: toRevision(0),
  });
  if (outcome.kind === 'written') return parse(outcome.stored.object.spec);
  await desired.barrier(); // another process was faster
  return parse(desired.get(key)?.object.spec);
}

function make(chance: Chance): Spec {
  const seed = (kind: NkeyKind): string => encodeSeed(kind, chance.bytes(seedBytes));
  return {
    operatorSeed: seed('operator'),
    systemSeed: seed('account'),
    account: openSeed(seed('account')).publicKey,
    signingSeed: seed('account'),
  };
}

function parse(spec: object | undefined): NatsKeys {
  const { operatorSeed, systemSeed, account, signingSeed } = (spec ?? {}) as Partial<Spec>; // ours
  try {
    const keys = {
      operator: openSeed(operatorSeed ?? ''),
      system: openSeed(systemSeed ?? ''),
      account: account ?? '',
      signing: openSeed(signingSeed ?? ''),
    };
    if (publicKeyKind(keys.account) === 'account') return keys;
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
  }
  throw new MeshError('fatal', 'STORE_CORRUPT', `the record ${key} is damaged`);
}
