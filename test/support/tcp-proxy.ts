// A TCP proxy that can break what goes through it, as networks do.
//
//   pause      bytes stop flowing both ways; sockets stay open; new connections hang
//   reset      connections are reset (RST), new ones too
//   half-open  the far side is closed, the near side hears nothing of it and hangs

import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

export type Break = 'pause' | 'reset' | 'half-open';

export interface TcpProxy {
  readonly port: number;
  /** Connections that go through now. */
  count(): number;
  /** Breaks the connections whose near port `concerns` accepts, and new ones likewise. */
  breakAll(how: Break, concerns?: (nearPort: number) => boolean): void;
  /** New connections go through again; paused ones go on, half-open ones end. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket | undefined;
}

export async function openTcpProxy(options: {
  readonly host?: string;
  readonly port?: number;
  readonly target: { readonly host: string; readonly port: number };
}): Promise<TcpProxy> {
  const { host = '127.0.0.1', port = 0, target } = options;
  const pairs = new Set<Pair>();
  let broken: Break | undefined;
  let concerns = (_nearPort: number): boolean => true;

  const join = (near: Socket): Pair => {
    const far = createConnection(target);
    far.setNoDelay(true);
    far.on('error', () => near.destroy());
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.pipe(far);
    far.pipe(near);
    return { near, far };
  };
  const server = createServer((near) => {
    near.setNoDelay(true);
    near.on('error', () => undefined); // 'close' follows
    const isBroken = broken !== undefined && concerns(near.remotePort ?? 0);
    if (isBroken && broken === 'reset') return void near.resetAndDestroy();
    const pair = isBroken ? { near: near.pause(), far: undefined } : join(near);
    pairs.add(pair);
    near.on('close', () => pairs.delete(pair));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    count: () => [...pairs].filter(({ far }) => far !== undefined).length,
    breakAll: (how, those = () => true) => {
      broken = how;
      concerns = those;
      for (const pair of pairs) {
        if (concerns(pair.near.remotePort ?? 0)) breakPair(pair, how);
      }
    },
    heal: () => {
      broken = undefined;
      for (const { near, far } of pairs) {
        // What hung without a far side cannot go on: its peer has to dial again.
        if (far === undefined || far.destroyed) near.destroy();
        else rejoin(near, far);
      }
    },
    close: async () => {
      for (const { near, far } of pairs) for (const socket of [near, far]) socket?.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function breakPair({ near, far }: Pair, how: Break): void {
  if (how === 'reset') {
    near.resetAndDestroy();
    far?.resetAndDestroy();
    return;
  }
  near.unpipe().pause();
  far?.unpipe().pause();
  if (how === 'half-open') {
    far?.removeAllListeners('close');
    far?.destroy();
  }
}

function rejoin(near: Socket, far: Socket): void {
  near.unpipe();
  far.unpipe();
  near.pipe(far);
  far.pipe(near);
}
