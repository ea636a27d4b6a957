// The line between `ctl` and the running demo: a unix socket in the demo's folder, one JSON line
// each way. Only the user who owns the folder can reach it.

import { rmSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import type { Clock } from '../common/runtime/clock.ts';

export interface ControlRequest {
  readonly verb: string;
  readonly part: string;
}

export interface ControlAnswer {
  readonly ok: boolean;
  readonly message: string;
}

const lineBytesMax = 4096;
// `start` waits for a ready line.
const answerMs = 90_000;

/** Answers until closed; throws when the socket cannot be made. */
export async function serveControl(
  path: string,
  act: (request: ControlRequest) => Promise<ControlAnswer>,
): Promise<{ close(): void }> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    void readLine(socket)
      .then((line) => act(parseRequest(line)))
      .catch((error: unknown) => ({ ok: false, message: String(error) }))
      .then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}

/** Undefined when no demo listens there. */
export async function askControl(
  path: string,
  request: ControlRequest,
  clock: Clock,
): Promise<ControlAnswer | undefined> {
  const socket = connect(path);
  const timer = clock.after(answerMs, () => socket.destroy(new Error('the demo gave no answer')));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  } catch {
    timer.cancel();
    return undefined;
  }
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await readLine(socket)) as ControlAnswer; // written by serveControl
  } finally {
    timer.cancel();
    socket.destroy();
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > lineBytesMax) reject(new Error('the line is too long'));
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the other side closed without a line')));
  });
}

function parseRequest(line: string): ControlRequest {
  const value: unknown = JSON.parse(line);
  if (typeof value === 'object' && value !== null && 'verb' in value && 'part' in value) {
    return { verb: String(value.verb), part: String(value.part) };
  }
  throw new Error('expected {"verb", "part"}');
}
