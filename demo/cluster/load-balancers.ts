// Load balancers of a simulated cluster: real listeners on loopback addresses, so that probes and
// curl tell the truth. A listener is open only while a ready Pod is behind it; otherwise the
// connection is refused, as by a load balancer without healthy backends.
//
// Adapter (TCP). Where the system refuses an address or a low port, it says once which command
// helps, and the cluster goes on without that listener.

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { LogKey } from '../../common/model/ids.ts';
import type { Log } from '../../common/runtime/log.ts';

export interface LoadBalancerWish {
  readonly addresses: readonly string[];
  /** TCP ports of the Service. */
  readonly ports: readonly number[];
  /** Names of the ready Pods behind it. */
  readonly pods: readonly string[];
}

export interface LoadBalancers {
  /** Makes the listeners of one Service what `wish` says; undefined or no Pods: none. */
  settle(service: LogKey, wish: LoadBalancerWish | undefined): Promise<undefined>;
  close(): Promise<void>;
}

interface Listener {
  readonly server: Server;
  pods: readonly string[];
  turn: number;
}

export function createLoadBalancers(options: {
  readonly cluster: string;
  readonly log: Log;
}): LoadBalancers {
  const { cluster, log } = options;
  const listeners = new Map<LogKey, Map<string, Listener>>();
  const complained = new Set<string>();

  const complain = (address: string, port: number, error: NodeJS.ErrnoException): void => {
    const help = helpFor(error.code, address, port);
    if (complained.has(help)) return;
    complained.add(help);
    log.error('load balancer cannot listen', { address, port, code: error.code, help });
  };

  const open = async (own: Map<string, Listener>, address: string, port: number): Promise<void> => {
    const listener: Listener = {
      server: createServer((_request, response) => answer(cluster, listener, response)),
      pods: [],
      turn: 0,
    };
    try {
      await listen(listener.server, address, port);
      own.set(`${address}:${port}`, listener);
    } catch (error) {
      complain(address, port, error as NodeJS.ErrnoException);
    }
  };

  const settle = async (
    service: LogKey,
    wish: LoadBalancerWish | undefined,
  ): Promise<undefined> => {
    const own = listeners.get(service) ?? new Map<string, Listener>();
    listeners.set(service, own);
    const isOpen = wish !== undefined && wish.pods.length > 0;
    const pairs = isOpen
      ? wish.addresses.flatMap((address) => wish.ports.map((port) => ({ address, port })))
      : [];
    const wanted = new Set(pairs.map(({ address, port }) => `${address}:${port}`));
    for (const [name, listener] of own) {
      if (wanted.has(name)) continue;
      own.delete(name);
      await shut(listener.server);
    }
    for (const { address, port } of pairs) {
      if (!own.has(`${address}:${port}`)) await open(own, address, port);
    }
    for (const listener of own.values()) listener.pods = wish?.pods ?? [];
    if (own.size === 0) listeners.delete(service);
  };

  return {
    settle,
    close: async () => {
      for (const service of listeners.keys()) await settle(service, undefined);
    },
  };
}

function answer(cluster: string, listener: Listener, response: ServerResponse): void {
  const pod = listener.pods[listener.turn % Math.max(1, listener.pods.length)] ?? '';
  listener.turn += 1;
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`cluster ${cluster}, pod ${pod}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // a failed accept ends that connection only
      resolve();
    });
  });
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** What the reader can do about it. */
export function helpFor(code: string | undefined, address: string, port: number): string {
  switch (code) {
    case 'EACCES':
      return `port ${port} needs a right that this user lacks: sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}`;
    case 'EADDRNOTAVAIL':
      return process.platform === 'darwin'
        ? `the system lacks the address: sudo ifconfig lo0 alias ${address}`
        : `the system lacks the address: sudo ip addr add ${address}/8 dev lo`;
    case 'EADDRINUSE':
      return `another program listens on ${address}:${port}; find it with: ss -ltnp 'sport = :${port}'`;
    default:
      return `the system refused to listen on ${address}:${port}`;
  }
}
