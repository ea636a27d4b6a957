// The API's server certificate through the life of the process: our own is made anew well before
// it ends (data-dir.ts), and files of the operator's are read again, without a restart and without
// a connection lost. New handshakes get the new one.

import { readFile } from 'node:fs/promises';
import { readCertificate, type KeyPairPem } from '../../common/runtime/certificates.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';

/** What is to be served now. */
export type CertificateSource = () => Promise<KeyPairPem>;

/** The operator's, such as cert-manager's: whatever the files hold. */
export function certificateFiles(certPath: string, keyPath: string): CertificateSource {
  return async () => {
    const [certPem, keyPem] = await Promise.all([
      readFile(certPath, 'utf8'),
      readFile(keyPath, 'utf8'),
    ]);
    return { certPem, keyPem };
  };
}

export interface CertificateKeeper {
  /** Looks now, as on SIGHUP; rejects when the new pair cannot be used: the former stays. */
  refresh(): Promise<void>;
  stop(): void;
}

// Issuers renew days before the end, so that an hour is soon enough; and a timer of node's cannot
// be set for months.
const everyMs = 3_600_000;

export function keepCertificate(options: {
  readonly source: CertificateSource;
  readonly current: KeyPairPem;
  /** Resolves when they are served; rejects when certificate and key do not fit. */
  readonly apply: (pair: KeyPairPem) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}): CertificateKeeper {
  const { source, apply, clock, log, metrics } = options;
  let served = options.current;
  let timer: Timer;
  const tell = (): void => {
    const { notAfterMs } = readCertificate(served.certPem);
    metrics.gauge('mesh_api_certificate_end_timestamp_seconds', notAfterMs / 1000);
  };
  const refresh = async (): Promise<void> => {
    const next = await source();
    if (next.certPem === served.certPem && next.keyPem === served.keyPem) return;
    await apply(next);
    served = next;
    tell();
    log.info('API certificate replaced');
  };
  const wait = (): void => {
    timer = clock.after(everyMs, () => {
      refresh()
        .catch((error: unknown) => {
          log.error('API certificate not replaced: the former stays', {
            error: describeError(error),
          });
        })
        .finally(wait);
    });
  };
  tell();
  wait();
  return { refresh, stop: () => timer.cancel() };
}
