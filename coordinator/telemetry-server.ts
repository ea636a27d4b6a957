// The NATS that carries telemetry: our own nats-server, supervised, or one that somebody else runs;
// and the coordinator's connection to it.

import { join } from 'node:path';
import { isthmusGroup } from '../common/model/isthmus-kinds.ts';
import { toClusterName, toLogPrefix } from '../common/model/ids.ts';
import { MeshError } from '../common/pure/errors.ts';
import { coordinatorInboxPrefix } from '../common/pure/inbox.ts';
import { connectNats } from '../common/runtime/nats-bus.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import { addressOf } from './addresses.ts';
import type { Base } from './base.ts';
import type { DataDir } from './data-dir.ts';
import type { Desired } from './desired/store.ts';
import { findNatsServer, startNatsServer } from './session/nats-server.ts';
import type { TelemetryUsers } from './session/stage.ts';

/** The NATS of the mesh: whose users come and go with the clusters. */
export interface Nats extends TelemetryUsers {
  ownUrls(): readonly string[];
  pid(): number | undefined;
}

/** Our own nats-server, whose users are the clusters, or one that somebody else runs. */
export async function openNats(base: Base, dir: DataDir, desired: Desired): Promise<Nats> {
  const { settings, federation, lifecycle, log, clock } = base;
  const url = settings.text('nats-url');
  if (url !== undefined) {
    return {
      urls: () => [url],
      ownUrls: () => [url],
      allow: () => Promise.resolve(),
      revoke: (cluster) => {
        log.warn('remove the cluster’s user from your NATS too', { cluster });
        return Promise.resolve();
      },
      pid: () => undefined,
    };
  }
  const binary = settings.text('nats-server') ?? findNatsServer();
  if (binary === undefined) {
    throw new MeshError(
      'fatal',
      'NATS_SERVER_MISSING',
      'nats-server is not on PATH; install it (apt-get install -y nats-server), or name it with --nats-server, or use a NATS of your own with --nats-url',
    );
  }
  const clusters = [...desired.list(toLogPrefix(isthmusGroup, 'clusters'))].map(({ object }) => ({
    name: toClusterName(object.metadata.name),
    uid: object.metadata.uid ?? '',
  }));
  const server = await startNatsServer({
    binary,
    dataDir: join(dir.path, 'nats'),
    listen: addressOf(settings, 'nats-listen'),
    advertiseHost: settings.list('advertise')[0],
    server: dir.server,
    caPem: dir.ca.certPem,
    federation,
    coordinatorUri: dir.coordinatorUri,
    clusters,
    clock,
    log,
  });
  lifecycle.onClose({ name: 'nats-server', close: () => server.stop() });
  return server;
}

/** The coordinator's own connection. */
export function openBus(base: Base, dir: DataDir, nats: Nats): TelemetryBus {
  const bus = connectNats({
    ...base,
    urls: nats.ownUrls(),
    name: 'isthmus-coordinator',
    tls: { caPem: dir.ca.certPem, ...dir.natsClient },
    inboxPrefix: coordinatorInboxPrefix,
  });
  base.lifecycle.onClose({ name: 'bus', close: () => bus.close() });
  return bus;
}
