// The federation's own keys: its CA, which every cluster has pinned, and the key that signs the
// receipts of batches. One record of the log, made at the first start and kept, sealed at rest.
//
//   One CA for ever: losing it means that every cluster joins anew. So a second start that finds
//   the record uses it, and of two that make one at once the first written wins.

import { toLogKey, toRevision } from '../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../common/model/isthmus-kinds.ts';
import { MeshError } from '../common/pure/errors.ts';
import type { KeyPairPem } from '../common/runtime/certificates.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../common/runtime/clock.ts';
import { createCa } from '../common/runtime/pki.ts';
import type { Desired } from './desired/store.ts';

export interface AuthorityKeys {
  readonly ca: KeyPairPem;
  /** 32 bytes; signs the receipts of batches. */
  readonly receiptKey: Uint8Array;
}

const caDays = 3650;
const receiptKeyBytes = 32;
const key = toLogKey({ group: isthmusGroup, resource: 'authorities', name: 'federation' });

interface AuthoritySpec {
  readonly certificate: string;
  readonly privateKey: string;
  /** Base64. */
  readonly receiptKey: string;
}

export async function loadAuthorityKeys(options: {
  readonly desired: Desired;
  readonly federation: string;
  /** Taken over when there is no record yet. */
  readonly former: AuthorityKeys | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<AuthorityKeys> {
  const { desired, clock } = options;
  const known = desired.get(key);
  if (known !== undefined) return parse(known.object.spec);
  const outcome = await desired.write({
    key,
    object: {
      apiVersion: isthmusApiVersion,
      kind: 'Authority',
      metadata: { name: 'federation', creationTimestamp: toTimestamp(clock.now()) },
      spec: toSpec(options.former ?? (await make(options))),
    },
    expected: toRevision(0),
  });
  if (outcome.kind === 'written') return parse(outcome.stored.object.spec);
  await desired.barrier(); // another process was faster
  return parse(desired.get(key)?.object.spec);
}

async function make(options: {
  readonly federation: string;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<AuthorityKeys> {
  const { federation, clock, chance } = options;
  const ca = await createCa({ commonName: `isthmus ${federation}`, clock, validDays: caDays });
  return { ca, receiptKey: chance.bytes(receiptKeyBytes) };
}

function toSpec({ ca, receiptKey }: AuthorityKeys): AuthoritySpec {
  return {
    certificate: ca.certPem,
    privateKey: ca.keyPem,
    receiptKey: Buffer.from(receiptKey).toString('base64'),
  };
}

function parse(spec: object | undefined): AuthorityKeys {
  const { certificate, privateKey, receiptKey } = (spec ?? {}) as Partial<AuthoritySpec>; // ours
  const receipt = Buffer.from(receiptKey ?? '', 'base64');
  if (!certificate || !privateKey || receipt.length !== receiptKeyBytes) {
    throw new MeshError('fatal', 'STORE_CORRUPT', `the record ${key} is damaged`);
  }
  return { ca: { certPem: certificate, keyPem: privateKey }, receiptKey: receipt };
}
