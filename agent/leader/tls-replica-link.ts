// ReplicaLink over TLS 1.3. Both sides show the agent's own certificate, and each believes the other
// when its key is the same: only replicas of this agent hold it. No authority and no date is asked,
// so that replicas find each other also when the coordinator is away and the certificate has ended.

import { X509Certificate } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { parseListenAddress, type Address } from '../../common/runtime/settings.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { decodeFollowerLine, decodeLeaderLine, encodeLine } from './replica-lines.ts';
import type {
  FollowerLine,
  LeaderLine,
  ReplicaConnection,
  ReplicaHandler,
  ReplicaLink,
} from './replica-port.ts';

export interface ReplicaIdentity {
  readonly certPem: string;
  readonly keyPem: string;
}

const handshakeMs = 5_000;
// A line holds 500 rows at most; a shard is far below 100 KiB.
const lineCharactersMax = 64 * 2 ** 20;
// A replica that leaves this much unread is not alive; everything that is held goes out at once.
const unreadBytesMax = 256 * 2 ** 20;
const connectionsMax = 16;

export function createTlsReplicaLink(options: {
  readonly listen: Address;
  /** Of this moment; undefined before the agent has joined. */
  readonly identity: () => ReplicaIdentity | undefined;
  readonly clock: Clock;
}): ReplicaLink {
  const { clock, identity } = options;
  return {
    listen: (accept) =>
      new Promise((resolve, reject) => {
        const open = new Set<Socket>();
        const server = createServer((raw) => {
          open.add(raw);
          raw.on('close', () => open.delete(raw));
          const own = identity();
          const secureContext = toContext(own);
          if (own === undefined || secureContext === undefined) {
            return void raw.on('error', () => undefined).destroy();
          }
          const socket = new TLSSocket(raw, {
            isServer: true,
            secureContext,
            requestCert: true,
            rejectUnauthorized: false, // by key, below
          });
          whenTrusted({ socket, event: 'secure', own, clock }, () => {
            const running = run<LeaderLine, FollowerLine>(socket, decodeFollowerLine);
            const handler = accept(running.connection);
            if (handler === undefined) socket.destroy();
            else running.start(handler);
          });
        });
        server.maxConnections = connectionsMax;
        server.once('error', reject);
        server.listen(options.listen.port, options.listen.host, () => {
          resolve({
            port: (server.address() as AddressInfo).port, // it listens on TCP
            close: () =>
              new Promise((closed) => {
                server.close(() => closed());
                for (const socket of open) socket.destroy();
              }),
          });
        });
      }),
    connect: (address, handler) => dial(address, handler, { identity, clock }),
  };
}

function dial(
  address: string,
  handler: ReplicaHandler<LeaderLine>,
  { identity, clock }: { readonly identity: () => ReplicaIdentity | undefined; clock: Clock },
): ReplicaConnection<FollowerLine> {
  const at = parseListenAddress(address);
  const own = identity();
  const secureContext = toContext(own);
  if (at === undefined || own === undefined || secureContext === undefined) {
    const reason = at === undefined ? `no address: ${address.slice(0, 60)}` : 'no key yet';
    clock.soon(() => handler.onEnd(reason));
    return { send: () => false, end: () => undefined };
  }
  const socket = connectTls({
    ...at,
    secureContext,
    rejectUnauthorized: false, // by key, below
    checkServerIdentity: () => undefined,
  });
  const running = run<FollowerLine, LeaderLine>(socket, decodeLeaderLine);
  running.start(handler);
  whenTrusted({ socket, event: 'secureConnect', own, clock }, () => undefined);
  return running.connection;
}

/** undefined for no key, and for one that is none: the Secret may hold anything. */
function toContext(own: ReplicaIdentity | undefined) {
  if (own === undefined) return undefined;
  try {
    return createSecureContext({ cert: own.certPem, key: own.keyPem, minVersion: 'TLSv1.3' });
  } catch {
    return undefined;
  }
}

function whenTrusted(
  of: {
    readonly socket: TLSSocket;
    readonly event: 'secure' | 'secureConnect';
    readonly own: ReplicaIdentity;
    readonly clock: Clock;
  },
  run: () => void,
): void {
  const { socket, event, own, clock } = of;
  const timer = clock.after(handshakeMs, () => socket.destroy(new Error('no handshake')));
  socket.on('error', () => undefined);
  socket.on('close', () => timer.cancel());
  socket.once(event, () => {
    timer.cancel();
    const theirs = socket.getPeerX509Certificate();
    if (theirs !== undefined && publicKeyOf(theirs) === publicKeyOf(own.certPem)) return run();
    socket.destroy(new Error('it holds another key than this replica'));
  });
}

function publicKeyOf(certificate: X509Certificate | string): string {
  const read = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return read.publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/** Lines both ways over a socket. */
function run<Out extends LeaderLine | FollowerLine, In>(
  socket: TLSSocket,
  decode: (text: string) => In | undefined,
): {
  readonly connection: ReplicaConnection<Out>;
  start(handler: ReplicaHandler<In>): void;
} {
  let reason = 'closed';
  const connection: ReplicaConnection<Out> = {
    send: (line) => {
      if (socket.destroyed || socket.writableLength > unreadBytesMax) return false;
      socket.write(encodeLine(line));
      return true;
    },
    end: () => void socket.destroy(),
  };
  const start = (handler: ReplicaHandler<In>): void => {
    let rest = '';
    socket.setEncoding('utf8');
    socket.setNoDelay(true);
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > lineCharactersMax) socket.destroy(new Error('a line without end'));
      for (const each of lines) {
        const line = decode(each);
        if (line === undefined) return void socket.destroy(new Error('not a line of a replica'));
        handler.onLine(line);
      }
    });
    socket.on('error', (error: Error) => (reason = error.message));
    socket.on('close', () => handler.onEnd(reason));
  };
  return { connection, start };
}
