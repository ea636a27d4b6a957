// The federation's own keys: its CA, which every cluster has pinned, and the key that signs the
// receipts of batches. One record of the log, made at the first start and kept, sealed at rest.
//
//   One record for ever: losing it means that every cluster joins anew. So a second start that
//   finds it uses it, and of two that make one at once the first written wins. A coordinator before
//   0.2 reads the current CA of it and knows nothing of a former one.

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import { createCa } from '../../common/runtime/pki.ts';
import type { Desired } from '../desired/store.ts';
import { auditAuthority, type AuthorityState, type AuthorityStep } from './step-authority.ts';

export interface AuthorityKeys {
  readonly state: AuthorityState;
  /** 32 bytes; signs the receipts of batches. */
  readonly receiptKey: Uint8Array;
}

export const caDays = 3650;
const receiptKeyBytes = 32;
const attemptsMax = 5;
export const authorityKey = toLogKey({
  group: isthmusGroup,
  resource: 'authorities',
  name: 'federation',
});

interface CaSpec {
  readonly certificate: string;
  readonly privateKey: string;
}

interface AuthoritySpec extends CaSpec {
  /** Base64. */
  readonly receiptKey: string;
  readonly former?: CaSpec & { readonly replacedAt: string; readonly retireAt: string };
  readonly links?: readonly string[];
}

/** Where the first versions kept them. */
export interface FormerKeys {
  readonly ca: KeyPairPem;
  readonly receiptKey: Uint8Array;
}

export async function loadAuthorityKeys(options: {
  readonly desired: Desired;
  readonly federation: string;
  /** Taken over when there is no record yet. */
  readonly former: FormerKeys | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<AuthorityKeys> {
  const { desired, clock } = options;
  const known = readAuthority(desired);
  if (known !== undefined) return known;
  const { ca, receiptKey } = options.former ?? (await make(options));
  const state = { current: ca, former: undefined, links: [] };
  const outcome = await desired.write({
    key: authorityKey,
    object: toObject({ state, receiptKey }, toTimestamp(clock.now())),
    expected: toRevision(0),
  });
  if (outcome.kind === 'written') return parse(outcome.stored.object.spec);
  await desired.barrier(); // another process was faster
  return parse(desired.get(authorityKey)?.object.spec);
}

/** Undefined when there is none yet. Throws MeshError STORE_CORRUPT. */
export function readAuthority(desired: Desired): AuthorityKeys | undefined {
  const known = desired.get(authorityKey);
  return known === undefined ? undefined : parse(known.object.spec);
}

/**
 * Takes a step from what the record is, audited and written by compare-and-set; the state after it,
 * or undefined when it stays. Throws MeshError: fatal CA_REFUSED, AUDIT_REFUSED; retryable when
 * others write it too.
 */
export async function changeAuthority(
  desired: Desired,
  step: (state: AuthorityState) => Promise<AuthorityStep>,
): Promise<AuthorityState | undefined> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const stored = desired.get(authorityKey);
    const before = parse(stored?.object.spec);
    const next = await step(before.state);
    if (next.kind === 'stay') return undefined;
    if (next.kind === 'refuse') throw new MeshError('fatal', 'CA_REFUSED', next.message);
    const doubt = auditAuthority(before.state, next.state);
    if (doubt !== undefined) throw new MeshError('fatal', 'AUDIT_REFUSED', doubt);
    const { creationTimestamp = '' } = stored?.object.metadata ?? {};
    const object = toObject({ ...before, state: next.state }, creationTimestamp);
    const expected = stored?.revision ?? toRevision(0);
    const outcome = await desired.write({ key: authorityKey, object, expected });
    if (outcome.kind === 'written') return next.state;
    await desired.barrier();
  }
  throw new MeshError('retryable', 'CA_CONTENDED', 'the record of the CA is written by others too');
}

async function make(options: {
  readonly federation: string;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<FormerKeys> {
  const { federation, clock, chance } = options;
  const ca = await createCa({ commonName: caName(federation), clock, validDays: caDays });
  return { ca, receiptKey: chance.bytes(receiptKeyBytes) };
}

/** The same for every CA of a federation: a link is issued by its own name (RFC 5280 3.2). */
export function caName(federation: string): string {
  return `isthmus ${federation}`;
}

function toObject({ state, receiptKey }: AuthorityKeys, creationTimestamp: string) {
  const { current, former, links } = state;
  const spec: AuthoritySpec = {
    certificate: current.certPem,
    privateKey: current.keyPem,
    receiptKey: Buffer.from(receiptKey).toString('base64'),
    ...(former === undefined
      ? {}
      : {
          former: {
            certificate: former.ca.certPem,
            privateKey: former.ca.keyPem,
            replacedAt: former.replacedAt,
            retireAt: former.retireAt,
          },
        }),
    ...(links.length === 0 ? {} : { links }),
  };
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Authority',
    metadata: { name: 'federation', creationTimestamp },
    spec,
  };
}

function parse(spec: object | undefined): AuthorityKeys {
  const of = (spec ?? {}) as Partial<AuthoritySpec>; // ours
  const receiptKey = Buffer.from(of.receiptKey ?? '', 'base64');
  const { certificate: certPem, privateKey: keyPem, former, links = [] } = of;
  if (!certPem || !keyPem || receiptKey.length !== receiptKeyBytes) {
    throw new MeshError('fatal', 'STORE_CORRUPT', `the record ${authorityKey} is damaged`);
  }
  const state: AuthorityState = {
    current: { certPem, keyPem },
    former:
      former === undefined
        ? undefined
        : {
            ca: { certPem: former.certificate, keyPem: former.privateKey },
            replacedAt: former.replacedAt,
            retireAt: former.retireAt,
          },
    links,
  };
  return { state, receiptKey };
}
