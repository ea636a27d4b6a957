// What must outlive every replica and its disk, in one small Secret of the agent's namespace: who
// the agent is (key, certificate), and what it was last told of its federation. Shards and peers are
// not in it: they are as many as a cluster has Services, and a Secret ends at 1 MiB.

import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { hasReplaced } from '../../common/pure/replaced-key.ts';
import { readCertificate } from '../../common/runtime/certificates.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import { decodeValue, encodeValue } from './replica-lines.ts';
import type { Row, RowTables } from './replica-port.ts';

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

// They say how far shards and peers are, what was removed lately and who led: of one disk alone.
const unkept = new Set(['viewRevision', 'receipt', 'boot', 'removals', 'ledAs']);
const identityFact = 'identity';
// A token is bound to the key that asks first. That key must be safe before it is asked with, or
// another replica would ask with a key of its own, in vain. What else we are can be told later.
const waitMs = 3_000;

export interface FactsKeeper {
  /** Takes over what the Secret knows better. Never throws: an agent can live without. */
  adopt(tables: RowTables): Promise<readonly Row[]>;
  /** Tables whose facts reach the Secret too. */
  keep(tables: RowTables): RowTables;
  stop(): Promise<void>;
}

export function createFactsKeeper(
  ports: {
    /** Writes only while this replica leads. */
    readonly kube: KubeClient;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
  },
  secret: SecretName,
): FactsKeeper {
  const { kube, clock, log } = ports;
  const path: ResourcePath = { apiVersion: 'v1', plural: 'secrets', namespace: secret.namespace };
  let tables: RowTables | undefined;
  let written = '';
  let waiting: Waiter[] = [];
  let isUnreadable = false;

  const save = async (): Promise<undefined> => {
    if (tables === undefined) return undefined;
    // Who waits by now is judged by this patch; whoever comes while it is written is not in it.
    const judged = [...waiting];
    const patch = toPatch(tables);
    const text = JSON.stringify(patch);
    if (text !== written) await kube.mergePatch(path, secret.name, patch, 'isthmus-agent');
    written = text;
    const kept = identityIn(patch);
    for (const waiter of judged) waiter.end(waiter.identity === kept);
    return undefined;
  };
  const loop = createLoop<'secret'>({ ...ports, name: 'identity-secret', run: save });
  const saved = (identity: unknown): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (isKept: boolean): void => {
        timer.cancel();
        waiting = waiting.filter((one) => one !== waiter);
        if (isKept || !isAsking(identity)) resolve();
        else reject(unkeptKey(secret));
      };
      const waiter = { identity: encodeFact(identity), end };
      const timer = clock.after(waitMs, () => end(false));
      waiting = [...waiting, waiter];
    });

  return {
    adopt: async (own) => {
      try {
        const object = await kube.get(path, secret.name);
        if (object === undefined) throw missing(secret);
        const rows = planAdoption(new Map(own.load('facts')), readFacts(object));
        if (rows.length > 0) {
          await own.commit(rows);
          log.info('identity taken from the Secret', { secret: secret.name });
        }
        isUnreadable = false;
        return rows;
      } catch (error) {
        // Asked again at each try to follow: one line per outage is enough.
        if (!isUnreadable) {
          log.warn('the identity in the cluster cannot be read', { error: describeError(error) });
        }
        isUnreadable = true;
        return [];
      }
    },
    keep: (own) => {
      tables = own;
      written = '';
      loop.mark('secret');
      return {
        load: (table) => own.load(table),
        commit: async (rows) => {
          await own.commit(rows);
          const facts = rows.filter(({ table, key }) => table === 'facts' && !unkept.has(key));
          if (facts.length === 0) return;
          loop.mark('secret');
          const identity = facts.find(({ key }) => key === identityFact)?.value;
          if (identity !== undefined) await saved(identity);
        },
      };
    },
    stop: () => {
      tables = undefined;
      return loop.stop();
    },
  };
}

/** A commit that waits until the Secret has its identity, or something else. */
interface Waiter {
  /** As it stands in the Secret. */
  readonly identity: string;
  end(isKept: boolean): void;
}

/** A key that is about to ask with a token. */
function isAsking(identity: unknown): boolean {
  const { certPem, tokenHash } = toIdentity(identity);
  return certPem === undefined && tokenHash !== undefined;
}

function unkeptKey({ namespace, name }: SecretName): MeshError {
  return new MeshError(
    'retryable',
    'IDENTITY_NOT_KEPT',
    `the new key could not be written to Secret ${namespace}/${name}, so the token was not used: ` +
      'another replica would not know the key. Either that one leads now, or the API server ' +
      'refuses the write, or the Secret is missing (helm upgrade brings it back)',
  );
}

/** Which of the kept facts are newer than our own: all or none. */
export function planAdoption(
  own: ReadonlyMap<string, unknown>,
  kept: ReadonlyMap<string, unknown>,
): readonly Row[] {
  const isTaken = isNewer(toIdentity(kept.get(identityFact)), toIdentity(own.get(identityFact)));
  return isTaken ? [...kept].map(([key, value]) => ({ table: 'facts', key, value })) : [];
}

/** A key that asks is newer than the certificate in whose place it does, else by certificates. */
function isNewer(kept: KeptIdentity, own: KeptIdentity): boolean {
  if (hasReplaced(kept, own)) return true;
  if (hasReplaced(own, kept)) return false;
  // Only what the Secret has was asked with.
  if (isAsking(kept) && isAsking(own)) return kept.keyPem !== own.keyPem;
  return rank(kept) > rank(own);
}

/** Of what stands in a Secret, where people can write too. */
interface KeptIdentity {
  readonly keyPem: string | undefined;
  readonly certPem: string | undefined;
  readonly tokenHash: string | undefined;
  readonly replacedKey: string | undefined;
}

function toIdentity(value: unknown): KeptIdentity {
  const of = (value ?? {}) as Readonly<Record<string, unknown>>; // narrowed here
  const text = (key: string): string | undefined => {
    const found = of[key];
    return typeof found === 'string' ? found : undefined;
  };
  return {
    keyPem: text('keyPem'),
    certPem: text('certPem'),
    tokenHash: text('tokenHash'),
    replacedKey: text('replacedKey'),
  };
}

/** Nothing of use, a key that asks, a certificate by its beginning. */
function rank({ keyPem, certPem }: KeptIdentity): number {
  if (typeof keyPem !== 'string') return -1;
  if (typeof certPem !== 'string') return 0;
  try {
    return readCertificate(certPem).notBeforeMs;
  } catch {
    return -1; // somebody wrote something else there
  }
}

function toPatch(tables: RowTables): JsonObject {
  const facts = [...tables.load('facts')].filter(([key]) => !unkept.has(key)).sort(byName);
  const data = facts.map(([key, value]) => [key, encodeFact(value)]);
  return { data: Object.fromEntries(data) as JsonObject };
}

/** As a value of the Secret's data. */
function encodeFact(value: unknown): string {
  return Buffer.from(encodeValue(value)).toString('base64');
}

function identityIn(patch: JsonObject): unknown {
  return (patch['data'] as JsonObject | undefined)?.[identityFact];
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function readFacts(object: KubeObject): ReadonlyMap<string, unknown> {
  const { data } = object as { readonly data?: unknown }; // a Secret; narrowed here
  const facts = new Map<string, unknown>();
  for (const [key, text] of Object.entries(data ?? {})) {
    if (typeof text !== 'string' || unkept.has(key)) continue;
    try {
      facts.set(key, decodeValue(Buffer.from(text, 'base64').toString('utf8')));
    } catch {
      throw new MeshError('fatal', 'IDENTITY_UNREADABLE', `Secret key ${key} is not ours`);
    }
  }
  return facts;
}

function missing({ namespace, name }: SecretName): MeshError {
  return new MeshError(
    'fatal',
    'IDENTITY_SECRET_MISSING',
    `there is no Secret ${namespace}/${name}: helm upgrade brings it back, empty; the agent fills it`,
  );
}
