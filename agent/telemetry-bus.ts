// How the agent reaches NATS: by the servers that its session was told of, with the login and the
// certificate that the session keeps fresh. A new login is taken without a gap.

import type { ClusterName } from '../common/model/ids.ts';
import type { NatsTrust } from '../common/model/session.ts';
import { MeshError } from '../common/pure/errors.ts';
import { clusterInboxPrefix } from '../common/pure/inbox.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import { connectNats } from '../common/runtime/nats-bus.ts';
import { routeThrough } from '../common/runtime/nats-bus-route.ts';
import type { Tunnels } from '../common/runtime/proxy-tunnel.ts';
import type { BusConnector, Welcome } from './agent-ports.ts';
import type { NatsLoginKeeper } from './session/nats-login.ts';
import type { Identity } from './session/record.ts';

export interface TelemetryBusOptions {
  readonly cluster: ClusterName;
  readonly identity: () => Identity | undefined;
  readonly welcome: () => Welcome | undefined;
  readonly natsLogin: NatsLoginKeeper;
  /** The way out of the site; absent: direct. */
  readonly tunnels?: Tunnels;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createBusConnector(options: TelemetryBusOptions): BusConnector {
  const { cluster, identity, welcome, natsLogin, tunnels, clock } = options;
  const trust = (): NatsTrust | undefined => welcome()?.natsTrust;
  const tls = () => {
    const { certPem, caPem, keyPem } = identity() ?? {};
    if (certPem === undefined || caPem === undefined || keyPem === undefined) {
      throw new MeshError('retryable', 'BUS_DISCONNECTED', 'no certificate for the bus yet');
    }
    return { caPem: toCaPem(trust(), caPem), certPem, keyPem };
  };
  return {
    identity: (urls) =>
      natsLogin.user().kind === 'none' ? undefined : JSON.stringify([urls, trust()]),
    onChange: natsLogin.onChange,
    connect: (urls) =>
      connectNats({
        ...options,
        urls,
        route: tunnels === undefined ? undefined : (url) => routeThrough(tunnels, url),
        name: `isthmus-agent ${cluster}`,
        tls,
        login: () => {
          const user = natsLogin.user();
          if (user.kind !== 'jwt') return undefined;
          return clock.monotonicMs() < user.endsAtMonotonicMs ? user : 'over';
        },
        onLogin: natsLogin.onChange,
        onRefused: natsLogin.refused,
        inboxPrefix: clusterInboxPrefix(cluster),
      }),
  };
}

function toCaPem(trust: NatsTrust | undefined, federationCaPem: string): string | undefined {
  if (trust === undefined) return federationCaPem;
  return trust.kind === 'cas' ? trust.caPem : undefined;
}
