// The federation's CAs through the life of the process: follows their record in the log, so that a
// rotation by whichever replica is everybody's, and retires a former CA when its overlap is over.
// The steps are step-authority.ts; what is signed is data-dir.ts.

import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toLogPrefix } from '../../common/model/ids.ts';
import {
  certificateHash,
  readCertificate,
  trustDigest,
} from '../../common/runtime/certificates.ts';
import { toTimestamp, type Clock, type Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { createCa, linkCa } from '../../common/runtime/pki.ts';
import { authorityKey, caDays, caName, changeAuthority, readAuthority } from './authority-keys.ts';
import { followNew, type Desired } from '../desired/store.ts';
import type { TrustedCas } from '../session/certificate-authority.ts';
import { stepAuthority, type AuthorityState } from './step-authority.ts';

export interface Authority extends TrustedCas {
  state(): AuthorityState;
  /** A new CA signs from now on. Throws MeshError CA_REFUSED with a sentence for people. */
  rotate(): Promise<void>;
  /** The former CA is trusted no more. Throws MeshError CA_REFUSED with a sentence for people. */
  retire(isForced: boolean): Promise<void>;
  describe(): CaReport;
  /** Told when describe() may say something else. */
  onReport(listener: () => void): () => void;
  stop(): void;
}

/** What people may know of the CAs: nothing in it is secret. */
export interface CaReport {
  readonly current: CaFacts;
  readonly former?: CaFacts & { readonly replacedAt: string; readonly retireAt: string };
  /** Connected clusters whose agents do not trust the current CA yet. */
  readonly behind: readonly string[];
}

export interface CaFacts {
  /** Lower-case hex SHA-256; join tokens carry its first half. */
  readonly hash: string;
  readonly notAfter: string;
}

export interface AuthorityOptions {
  readonly desired: Desired;
  readonly federation: string;
  /** How long the former CA is trusted after a rotation. */
  readonly overlapMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const lookMs = 3_600_000;
const clusters = toLogPrefix(isthmusGroup, 'clusters');

/** The record is there: loadAuthorityKeys has made it. */
export function openAuthority(options: AuthorityOptions): Authority {
  const { desired, federation, clock, log } = options;
  const listeners = new Set<() => void>();
  const readers = new Set<() => void>();
  let state = stateIn(desired);
  tellMetrics(options, state);
  const watch = followNew(desired, authorityKey, () => {
    state = stateIn(desired);
    tellMetrics(options, state);
    for (const listener of [...listeners, ...readers]) listener();
  });
  // Only in an overlap somebody can be behind.
  const clusterWatch = followNew(desired, clusters, ({ current, previous }) => {
    const isNews = trustSaid(current.object) !== trustSaid(previous?.object);
    if (state.former !== undefined && isNews) for (const reader of readers) reader();
  });
  const retire = async (of: { isAsked: boolean; isForced: boolean }): Promise<void> => {
    const nowText = toTimestamp(clock.now());
    const behind = listBehind(desired, state);
    const next = await changeAuthority(desired, async (before) =>
      stepAuthority(before, { kind: 'retire', nowText, behind, ...of }),
    );
    if (next !== undefined) log.warn('the former CA is retired: trusted no more', { behind });
  };
  let timer: Timer;
  const wait = (): void => {
    timer = clock.after(lookMs, () => {
      retire({ isAsked: false, isForced: false })
        .catch((error: unknown) =>
          log.warn('the former CA is not retired', { error: describeError(error) }),
        )
        .finally(wait);
    });
  };
  wait();
  return {
    state: () => state,
    signing: () => state.current,
    trustedPem: () => trustedIn(state),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    rotate: async () => {
      const common = { commonName: caName(federation), clock, validDays: caDays };
      const next = await createCa(common);
      const nowMs = clock.now();
      await changeAuthority(desired, async (before) =>
        stepAuthority(before, {
          kind: 'rotate',
          next,
          link: await linkCa({ ...common, ca: before.current, next }),
          nowText: toTimestamp(nowMs),
          retireAt: toTimestamp(nowMs + options.overlapMs),
        }),
      );
      log.warn('a new CA signs; the former is trusted until the overlap is over', {
        current: certificateHash(next.certPem),
        retireAt: toTimestamp(nowMs + options.overlapMs),
      });
    },
    retire: (isForced) => retire({ isAsked: true, isForced }),
    describe: () => describe(desired, state),
    onReport: (listener) => {
      readers.add(listener);
      return () => void readers.delete(listener);
    },
    stop: () => {
      timer.cancel();
      watch.cancel();
      clusterWatch.cancel();
    },
  };
}

function stateIn(desired: Desired): AuthorityState {
  const keys = readAuthority(desired);
  if (keys === undefined) throw new Error(`no record ${authorityKey}`);
  return keys.state;
}

/** The one that signs is first. */
function trustedIn({ current, former }: AuthorityState): string {
  return `${current.certPem}${former?.ca.certPem ?? ''}`;
}

function isReady({ status }: Cluster): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

function trustSaid(object: object | undefined): string {
  const cluster = object as Cluster | undefined; // its kind checks it
  return cluster === undefined ? '' : `${cluster.status?.trustDigest} ${isReady(cluster)}`;
}

function listBehind(desired: Desired, state: AuthorityState): readonly string[] {
  const digest = trustDigest(trustedIn(state));
  const isBehind = (cluster: Cluster): boolean =>
    isReady(cluster) && cluster.status?.trustDigest !== digest;
  return [...desired.list(clusters)]
    .map(({ object }) => object as Cluster) // their kind checks them
    .filter(isBehind)
    .map(({ metadata }) => metadata.name)
    .sort();
}

function describe(desired: Desired, state: AuthorityState): CaReport {
  const { current, former } = state;
  return {
    current: toFacts(current.certPem),
    ...(former === undefined
      ? {}
      : {
          former: {
            ...toFacts(former.ca.certPem),
            replacedAt: former.replacedAt,
            retireAt: former.retireAt,
          },
        }),
    behind: former === undefined ? [] : listBehind(desired, state),
  };
}

function toFacts(certPem: string): CaFacts {
  return {
    hash: certificateHash(certPem),
    notAfter: toTimestamp(readCertificate(certPem).notAfterMs),
  };
}

function tellMetrics({ metrics }: AuthorityOptions, { current, former }: AuthorityState): void {
  const end = readCertificate(current.certPem).notAfterMs;
  metrics.gauge('mesh_ca_end_timestamp_seconds', end / 1000);
  metrics.gauge('mesh_ca_trusted', former === undefined ? 1 : 2);
}
