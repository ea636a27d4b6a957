// The API's port as the settings want it: its limits, its certificate, and who is let in.

import type { KeyPairPem } from '../common/runtime/certificates.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Lifecycle } from '../common/runtime/lifecycle.ts';
import { describeError, type Log } from '../common/runtime/log.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { SettingValues } from '../common/runtime/settings.ts';
import { certificateFiles, keepCertificate } from './trust/api-certificate.ts';
import {
  defaultHttpsLimits,
  listenHttps,
  type HttpsLimits,
  type HttpsListener,
} from './api/https/https.ts';
import type { Authenticate } from './api/machinery/access/authenticate.ts';
import type { Api } from './api/machinery/api.ts';
import type { DataDir } from './trust/data-dir.ts';

export interface ApiServerOptions {
  readonly api: Api;
  readonly authenticate: Authenticate;
  readonly dir: DataDir;
  readonly settings: SettingValues;
  readonly lifecycle: Lifecycle;
  /** Adds something to do on SIGHUP. */
  readonly onReload: (reload: {
    readonly name: string;
    readonly reload: () => Promise<void>;
  }) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Listens until the lifecycle closes it. */
export async function openApiServer(options: ApiServerOptions): Promise<HttpsListener> {
  const { settings, lifecycle, dir, log } = options;
  const [certPath, keyPath] = [settings.text('api-tls-cert'), settings.text('api-tls-key')];
  const source =
    certPath === undefined || keyPath === undefined
      ? () => Promise.resolve(dir.apiServer)
      : certificateFiles(certPath, keyPath);
  const current = await source();
  const listener = await listenHttps({
    ...options,
    ...(settings.address('api-listen') ?? { host: '127.0.0.1', port: 0 }), // it has a default
    tls: { ...current, clientCaPem: dir.trustedPem() },
    limits: toHttpsLimits(settings),
  });
  let served = current;
  const apply = async (pair: KeyPairPem): Promise<void> => {
    await listener.setTls({ ...pair, clientCaPem: dir.trustedPem() });
    served = pair;
  };
  const keeper = keepCertificate({ ...options, source, current, apply });
  // Ours is another, or the CAs of clients are.
  const unsubscribe = dir.onChange(() => {
    apply(served)
      .then(() => keeper.refresh())
      .catch((error: unknown) => {
        log.error('API certificate not replaced: the former stays', {
          error: describeError(error),
        });
      });
  });
  options.onReload({ name: 'API certificate', reload: () => keeper.refresh() });
  lifecycle.onClose({
    name: 'api',
    close: () => {
      unsubscribe();
      keeper.stop();
      return listener.close();
    },
  });
  return listener;
}

function toHttpsLimits(settings: SettingValues): HttpsLimits {
  const limits = defaultHttpsLimits;
  const readsMax = settings.number('max-requests-inflight') ?? limits.readsMax;
  const writesMax = settings.number('max-mutating-requests-inflight') ?? limits.writesMax;
  const seconds = settings.number('request-timeout-seconds');
  return {
    ...limits,
    readsMax,
    writesMax,
    requestsMax: Math.max(limits.requestsMax, 2 * (readsMax + writesMax)),
    connectionsMax: settings.number('max-connections') ?? limits.connectionsMax,
    requestMs: seconds === undefined ? limits.requestMs : seconds * 1000,
  };
}
