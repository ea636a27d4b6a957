// A proxy between our provider and a real server, over TCP, that knows DNS messages: it loses
// answers, requests, everything, or spoils the signature of what we send.

import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

export interface DnsProxy {
  readonly port: number;
  /** Changes that passed: UPDATEs with something in their update section. */
  readonly updates: number;
  dropAnswerAfterApply(): void;
  dropBeforeApply(): void;
  hang(): void;
  denied(): void;
  /** Called with each change before it is passed on, which waits for it. */
  onUpdate: ((message: Buffer) => Promise<void> | void) | undefined;
  close(): Promise<void>;
}

export async function openDnsProxy(target: number): Promise<DnsProxy> {
  const sockets = new Set<Socket>();
  const mode = {
    next: 'pass' as 'pass' | 'loseAnswer' | 'loseRequest',
    silent: false,
    spoil: false,
  };
  let updates = 0;
  const onUpdate: { run: DnsProxy['onUpdate'] } = { run: undefined };

  const server = createServer((near) => {
    const far = createConnection({ host: '127.0.0.1', port: target });
    let lost: number | undefined;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // 'close' follows
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    eachFrame(near, async (message) => {
      if (mode.silent) return;
      const isChange = ((message[2] ?? 0) >> 3) % 16 === 5 && message.readUInt16BE(8) > 0;
      if (isChange) {
        await onUpdate.run?.(message);
        if (mode.next === 'loseRequest') {
          mode.next = 'pass';
          near.resetAndDestroy();
          return;
        }
        if (mode.next === 'loseAnswer') lost = message.readUInt16BE(0);
        mode.next = 'pass';
        updates += 1;
      }
      const passed = Buffer.from(message);
      // The MAC ends seven bytes before the message: id, error and other length follow.
      if (mode.spoil) passed[passed.length - 7] = (passed.at(-7) ?? 0) ^ 1;
      writeFrame(far, passed);
    });
    eachFrame(far, (message) => {
      if (mode.silent) return;
      if (message.readUInt16BE(0) === lost) near.resetAndDestroy();
      else writeFrame(near, message);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get updates() {
      return updates;
    },
    dropAnswerAfterApply: () => void (mode.next = 'loseAnswer'),
    dropBeforeApply: () => void (mode.next = 'loseRequest'),
    hang: () => void (mode.silent = true),
    denied: () => void (mode.spoil = true),
    get onUpdate() {
      return onUpdate.run;
    },
    set onUpdate(run) {
      onUpdate.run = run;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** In order, one after another. */
function eachFrame(socket: Socket, take: (message: Buffer) => Promise<void> | void): void {
  let waiting = Buffer.alloc(0);
  let before: Promise<void> = Promise.resolve();
  socket.on('data', (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      const end = 2 + waiting.readUInt16BE(0);
      const message = waiting.subarray(2, end);
      waiting = waiting.subarray(end);
      before = before.then(() => take(message));
    }
  });
}

function writeFrame(socket: Socket, message: Buffer): void {
  if (socket.destroyed) return;
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
}
