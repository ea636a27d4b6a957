// Connections to an RFC 2136 server: TCP only, each used by one call at a time. A call takes an
// idle connection or makes one, and gives it back when all its answers have come.
//
//   - Every wait ends by the call's deadline, and when the link is closed.
//   - Bounds: connections open, bytes read ahead of who reads them.
//   - A connection that rested for longer than servers keep them (PowerDNS: 5 s) is not used again:
//     an UPDATE sent into its end would have an unknown outcome.

import { createConnection, type Socket } from 'node:net';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';

export interface LinkOptions {
  readonly server: { readonly host: string; readonly port: number };
  readonly clock: Clock;
}

export interface Deadline {
  /** Milliseconds until then; 0 when it has passed. */
  leftMs(): number;
}

export function deadlineIn(clock: Clock, timeoutMs: number): Deadline {
  const end = clock.monotonicMs() + timeoutMs;
  return { leftMs: () => Math.max(0, end - clock.monotonicMs()) };
}

/** One connection, in the hands of one call. */
export interface LinkConnection {
  /** Frames the message. Throws DNS_UNAVAILABLE when the connection has ended. */
  send(message: Uint8Array): void;
  /** The next message; throws DNS_TIMEOUT or DNS_UNAVAILABLE. One wait at a time. */
  next(deadline: Deadline): Promise<Uint8Array>;
  /** To be used again by a later call. */
  release(): void;
  destroy(): void;
}

const connectionsMax = 8;
const idleMs = 2_000;
const waitingBytesMax = 256 * 1024;

export interface Rfc2136Link {
  /** Throws DNS_UNAVAILABLE or DNS_TIMEOUT, and then nothing was sent. */
  open(deadline: Deadline): Promise<LinkConnection>;
  close(): void;
}

export function createLink(options: LinkOptions): Rfc2136Link {
  const open = new Set<TcpConnection>();
  const idle: TcpConnection[] = [];
  const waiting = new Set<() => void>();
  let isClosed = false;
  const named = `${options.server.host} port ${options.server.port}`;

  const forget = (connection: TcpConnection): void => {
    open.delete(connection);
    const index = idle.indexOf(connection);
    if (index >= 0) idle.splice(index, 1);
    const [next] = waiting;
    next?.();
  };
  const rest = (connection: TcpConnection): void => {
    idle.push(connection);
    const [next] = waiting;
    next?.();
  };
  const turn = (deadline: Deadline): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (): void => {
        timer.cancel();
        waiting.delete(done);
        resolve();
      };
      const timer = options.clock.after(deadline.leftMs(), () => {
        waiting.delete(done);
        reject(timeout(`${connectionsMax} calls to ${named} are in flight already`));
      });
      waiting.add(done);
    });

  return {
    open: async (deadline) => {
      const isFull = (): boolean => !isClosed && idle.length === 0 && open.size >= connectionsMax;
      while (isFull()) await turn(deadline);
      if (isClosed) throw unavailable('this provider was closed');
      const used = idle.pop();
      if (used !== undefined) {
        used.wake();
        return used;
      }
      const connection = new TcpConnection(options, named, { rest, forget });
      open.add(connection);
      await connection.ready(deadline);
      return connection;
    },
    close: () => {
      isClosed = true;
      for (const connection of open) connection.end(unavailable('this provider was closed'));
      for (const wake of waiting) wake();
    },
  };
}

class TcpConnection implements LinkConnection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #named: string;
  readonly #pool: {
    readonly rest: (connection: TcpConnection) => void;
    readonly forget: (connection: TcpConnection) => void;
  };
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isConnected = false;
  #isIdle = false;
  #error: MeshError | undefined;
  #idleTimer: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(
    options: LinkOptions,
    named: string,
    pool: {
      readonly rest: (connection: TcpConnection) => void;
      readonly forget: (connection: TcpConnection) => void;
    },
  ) {
    this.#clock = options.clock;
    this.#named = named;
    this.#pool = pool;
    const { host, port } = options.server;
    // Names may have addresses of both families, and one of them may lead nowhere (RFC 8305).
    const socket = createConnection({ host, port, autoSelectFamily: true, noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => {
      this.#isConnected = true;
      this.#wake?.();
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.end(unavailable(`${named}: ${error.message}`, error)));
    socket.on('close', () => this.end(unavailable(`${named} ended the connection`)));
    socket.on('end', () => this.end(unavailable(`${named} ended the connection`)));
  }

  async ready(deadline: Deadline): Promise<void> {
    while (!this.#isConnected) await this.#wait(deadline, `connecting to ${this.#named}`);
  }

  send(message: Uint8Array): void {
    if (this.#error !== undefined) throw this.#error;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    this.#socket.write(Buffer.concat([length, message]));
  }

  async next(deadline: Deadline): Promise<Uint8Array> {
    for (;;) {
      const message = this.#take();
      if (message !== undefined) return message;
      await this.#wait(deadline, `waiting for an answer of ${this.#named}`);
    }
  }

  release(): void {
    // What comes unasked belongs to nobody.
    if (this.#error !== undefined || this.#bytes > 0) return this.destroy();
    this.#isIdle = true;
    this.#idleTimer = this.#clock.after(idleMs, () => this.destroy());
    this.#pool.rest(this);
  }

  wake(): void {
    this.#isIdle = false;
    this.#idleTimer?.cancel();
  }

  destroy(): void {
    this.end(unavailable('the call has ended'));
  }

  end(error: MeshError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#idleTimer?.cancel();
    this.#socket.destroy();
    this.#pool.forget(this);
    this.#wake?.();
  }

  #read(chunk: Buffer): void {
    if (this.#isIdle) return this.destroy();
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > waitingBytesMax) this.#socket.pause();
    this.#wake?.();
  }

  #take(): Uint8Array | undefined {
    if (this.#bytes < 2) return undefined;
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    const [bytes] = this.#chunks;
    const end = 2 + (bytes?.readUInt16BE(0) ?? 0);
    if (bytes === undefined || bytes.length < end) {
      if (this.#socket.isPaused()) this.#socket.resume();
      return undefined;
    }
    this.#chunks = bytes.length === end ? [] : [bytes.subarray(end)];
    this.#bytes -= end;
    if (this.#bytes <= waitingBytesMax && this.#socket.isPaused()) this.#socket.resume();
    return bytes.subarray(2, end);
  }

  /** Until something has come. */
  async #wait(deadline: Deadline, what: string): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(deadline.leftMs(), () => {
        this.end(timeout(`${what}: no answer in time`));
      });
      this.#wake = () => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
    });
    if (this.#error !== undefined) throw this.#error;
  }
}

export function unavailable(message: string, cause?: unknown): MeshError {
  return new MeshError('retryable', 'DNS_UNAVAILABLE', message, cause);
}

function timeout(message: string): MeshError {
  return new MeshError('retryable', 'DNS_TIMEOUT', message);
}
