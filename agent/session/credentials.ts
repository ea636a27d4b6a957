// The agent's credentials through the life of the session: joins once, comes back when its
// certificate has ended, renews it on the live stream, and keeps the CAs that it is told to trust.
//
//   C1. The key stays: it is what the coordinator knows the cluster by. Only a new token makes a
//       new one.
//   C2. A renewal that is not answered is asked for again, ten times before the end.

import { MeshError } from '../../common/pure/errors.ts';
import { formatFingerprint } from '../../common/pure/cluster-approval.ts';
import { rememberLast } from '../../common/pure/remember-last.ts';
import type { AgentMessage } from '../../common/model/session.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { AgentPki } from './agent-pki.ts';
import { askToReturn, join, tokenHash } from './join.ts';
import type { Credentials, MeshDialer } from './mesh-port.ts';
import type { AgentRecord, Identity } from './record.ts';
import { askAgainMs, planIdentity, renewalDelayMs } from './step.ts';

export interface CredentialsOptions {
  readonly dialer: MeshDialer;
  readonly record: AgentRecord;
  readonly pki: AgentPki;
  readonly cluster: string;
  /** Read at each try, so that a new token file helps without a restart. */
  readonly token: () => string | undefined;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly log: Log;
}

// A person who looks at the log shall find it near the end, and not only that.
const tellWaitingMs = 300_000;
const timerMaxMs = 24 * 3_600_000;

export class CredentialKeeper {
  readonly #options: CredentialsOptions;
  // Asked for at each try, also while nobody answers.
  readonly #validityOf: AgentPki['validity'];
  readonly #trustDigestOf: AgentPki['trustDigest'];
  #refusal: string | undefined;
  #renewal: Timer | undefined;
  #waiting: { readonly text: string; readonly toldMs: number } | undefined;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#validityOf = rememberLast(options.pki.validity);
    this.#trustDigestOf = rememberLast(options.pki.trustDigest);
  }

  /** What the last try ended with; undefined when it was no refusal. */
  noteRefusal(reason: string | undefined): void {
    this.#refusal = reason;
  }

  /**
   * For a session. Joins when there is nothing to show yet, with so long for each answer. Throws as
   * join does.
   */
  async get(deadlineMs: number): Promise<Credentials> {
    const { certPem, caPem, keyPem } = await this.#identify(deadlineMs);
    if (certPem !== undefined && caPem !== undefined) return { certPem, caPem, keyPem };
    throw new MeshError('retryable', 'COORDINATOR_UNREACHABLE', 'joined without a certificate');
  }

  async #identify(deadlineMs: number): Promise<Identity> {
    const { record, clock, log, cluster } = this.#options;
    const known = record.identity();
    const token = this.#options.token();
    const certPem = known?.certPem;
    const plan = planIdentity({
      hasCertificate: certPem !== undefined,
      isExpired: certPem !== undefined && this.#validityOf(certPem).notAfterMs <= clock.now(),
      refusal: this.#refusal,
      token,
      tokenHash: token === undefined ? undefined : tokenHash(token),
      usedTokenHash: certPem === undefined ? undefined : known?.tokenHash,
    });
    if (plan === 'connect' && known !== undefined) return known;
    const input = { ...this.#options, deadlineMs, nowMs: clock.now() };
    const ask = (): Promise<Identity> => {
      if (plan === 'return' && known !== undefined) return askToReturn(input, known);
      if (token !== undefined) return join(input, token);
      const text = 'this agent has not joined yet: give it --token or --token-file';
      throw new MeshError('fatal', 'TOKEN_MISSING', text);
    };
    const identity = await this.#asking(ask);
    this.#refusal = undefined;
    log.info(plan === 'return' ? 'back in the federation' : 'joined the federation', { cluster });
    return identity;
  }

  /** While a person has to approve, the log says so now and again, with the key to compare. */
  async #asking(ask: () => Promise<Identity>): Promise<Identity> {
    const { record, pki, clock, log, cluster } = this.#options;
    try {
      const identity = await ask();
      this.#waiting = undefined;
      return identity;
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'JOIN_WAITING') throw error;
      const nowMs = clock.monotonicMs();
      const { keyPem } = record.identity() ?? {};
      const isTold =
        this.#waiting?.text === error.message && nowMs - this.#waiting.toldMs < tellWaitingMs;
      if (isTold) throw error;
      this.#waiting = { text: error.message, toldMs: nowMs };
      log.warn('waiting for approval', {
        cluster,
        fingerprint: keyPem === undefined ? '' : formatFingerprint(pki.keyHash(keyPem)),
        next: `kubectl isthmus approve ${cluster}`,
        detail: error.message,
      });
      throw error;
    }
  }

  /** Of the CAs trusted now; undefined before the join. */
  trustDigest(): string | undefined {
    const caPem = this.#options.record.identity()?.caPem;
    return caPem === undefined ? undefined : this.#trustDigestOf(caPem);
  }

  /** Keeps the CAs, durably; what to answer. */
  async trust(caPem: string): Promise<AgentMessage> {
    const { record, pki, log } = this.#options;
    const digest = pki.trustDigest(caPem); // throws before anything is kept
    const identity = record.identity();
    if (identity !== undefined) await record.writeIdentity({ ...identity, caPem });
    log.info('the CAs of the federation have changed', { digest });
    return { kind: 'trusted', digest };
  }

  /** Keeps a renewed certificate; the stream goes on, and the next one shows it. */
  async renewed(chainPem: string, send: (message: AgentMessage) => void): Promise<void> {
    const { record, pki, log } = this.#options;
    const identity = record.identity();
    if (identity === undefined) return;
    const { notAfterMs } = pki.validity(chainPem); // throws before anything is kept
    await record.writeIdentity({ ...identity, certPem: chainPem });
    log.info('certificate renewed', { until: notAfterMs });
    this.scheduleRenewal(send);
  }

  scheduleRenewal(send: (message: AgentMessage) => void): void {
    const { record, pki, clock } = this.#options;
    const certPem = record.identity()?.certPem;
    if (certPem === undefined) return;
    this.#renewAfter(renewalDelayMs(pki.validity(certPem), clock.now()), send);
  }

  /** Before its time: the coordinator signs with another CA now. */
  renewSoon(send: (message: AgentMessage) => void, delayMs: number): void {
    this.#renewAfter(delayMs, send);
  }

  cancelRenewal(): void {
    this.#renewal?.cancel();
  }

  #renewAfter(delayMs: number, send: (message: AgentMessage) => void): void {
    const { record, pki, clock, cluster, log } = this.#options;
    this.#renewal?.cancel();
    this.#renewal = clock.after(Math.min(timerMaxMs, delayMs), () => {
      const { certPem, keyPem } = record.identity() ?? {};
      if (certPem === undefined || keyPem === undefined) return;
      if (delayMs > timerMaxMs) return this.scheduleRenewal(send);
      this.#renewAfter(askAgainMs(pki.validity(certPem).notAfterMs, clock.now()), send); // C2
      pki
        .requestFor({ commonName: cluster, keyPem })
        .then((csrDer) => send({ kind: 'renew', csrDer }))
        .catch((error: unknown) =>
          log.error('cannot ask for a renewal', { error: describeError(error) }),
        );
    });
  }
}
