// Credentials of one attempt to reach the coordinator, which can be broken off. grpc-js makes a
// connection to its end although its client was closed meanwhile: a coordinator that is busy would
// answer the first message of agents that have long come again, and one that hangs would cost a
// socket for each attempt.

import type { Socket } from 'node:net';
import { ChannelCredentials } from '@grpc/grpc-js';

type CreateConnector = ChannelCredentials['_createSecureConnector'];
type SecureConnector = ReturnType<CreateConnector>;

export class BreakableCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  readonly #sockets = new Set<Socket>();
  #isBroken = false;

  constructor(inner: ChannelCredentials) {
    super();
    this.#inner = inner;
  }

  /** What is open or being opened with these ends now, without a word. */
  breakOff(): void {
    this.#isBroken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure();
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...args: Parameters<CreateConnector>): SecureConnector {
    const connector = this.#inner._createSecureConnector(...args);
    return {
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
      connect: (socket) => {
        this.#watch(socket);
        return connector.connect(socket);
      },
    };
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#isBroken) socket.destroy();
  }
}
