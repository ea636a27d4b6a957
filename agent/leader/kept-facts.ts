// What must outlive every replica and its disk, in one small Secret of the agent's namespace: who
// the agent is (key, certificate), and what it was last told of its federation. Shards and peers are
// not in it: they are as many as a cluster has Services, and a Secret ends at 1 MiB.

import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
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
// A join is answered once: its key should be safe before the answer is asked for.
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
  let wake: (() => void)[] = [];
  let isUnreadable = false;

  const save = async (): Promise<undefined> => {
    if (tables === undefined) return undefined;
    const patch = toPatch(tables);
    const text = JSON.stringify(patch);
    if (text !== written) await kube.mergePatch(path, secret.name, patch, 'isthmus-agent');
    written = text;
    for (const each of wake.splice(0)) each();
    return undefined;
  };
  const loop = createLoop<'secret'>({ ...ports, name: 'identity-secret', run: save });
  const saved = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.after(waitMs, resolve);
      wake = [...wake, () => (timer.cancel(), resolve())];
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
          if (facts.some(({ key }) => key === identityFact)) await saved();
        },
      };
    },
    stop: () => {
      tables = undefined;
      return loop.stop();
    },
  };
}

/** Which of the kept facts are newer than our own: all or none, by the certificate. */
export function planAdoption(
  own: ReadonlyMap<string, unknown>,
  kept: ReadonlyMap<string, unknown>,
): readonly Row[] {
  const isNewer = rank(kept.get(identityFact)) > rank(own.get(identityFact));
  return isNewer ? [...kept].map(([key, value]) => ({ table: 'facts', key, value })) : [];
}

/** Nothing of use, a key that asks, a certificate by its beginning. */
function rank(identity: unknown): number {
  const { keyPem, certPem } = (identity ?? {}) as Readonly<Record<string, unknown>>; // narrowed here
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
  const data = facts.map(([key, value]) => [
    key,
    Buffer.from(encodeValue(value)).toString('base64'),
  ]);
  return { data: Object.fromEntries(data) as JsonObject };
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
