// A lean HTTP/2 client for benches: several connections, streams spread over them, answers read
// whole or counted by line. It is one and the same for every server that is measured.

import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

export interface Credentials {
  /** `https://HOST:PORT`. */
  readonly url: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Instead of, and besides, those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Http2Pool {
  request(asked: Asked): Promise<Answer>;
  /** Opens a watch; `onLines` is told how many lines came. Resolves when its headers are there. */
  watch(path: string, onLines: (count: number) => void): Promise<{ close(): void }>;
  close(): Promise<void>;
}

/** `sessions` connections, at most 100 streams each: the least that servers allow. */
export async function openHttp2Pool(
  credentials: Credentials,
  sessions: number,
): Promise<Http2Pool> {
  const { url, caPem, certPem, keyPem } = credentials;
  const open = await Promise.all(
    Array.from({ length: sessions }, () => openSession(url, caPem, certPem, keyPem)),
  );
  let turn = 0;
  const next = (): ClientHttp2Session => {
    turn = (turn + 1) % open.length;
    const session = open[turn];
    if (session === undefined) throw new Error('the pool is closed');
    return session;
  };
  return {
    request: ({ method, path, body, contentType, headers }) => {
      const stream = next().request({
        ':method': method,
        ':path': path,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        ...headers,
      });
      stream.end(body);
      return readAnswer(stream);
    },
    watch: (path, onLines) => openWatch(next(), path, onLines),
    close: async () => {
      await Promise.all(open.map((session) => closeSession(session)));
    },
  };
}

function openSession(
  url: string,
  caPem: string,
  certPem: string,
  keyPem: string,
): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(url, { ca: caPem, cert: certPem, key: keyPem });
    session.once('connect', () => {
      session.setLocalWindowSize(16 << 20);
      resolve(session);
    });
    session.once('error', reject);
  });
}

function closeSession(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    session.once('close', resolve);
    session.destroy();
  });
}

function readAnswer(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    const chunks: Buffer[] = [];
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
    stream.on('end', () => resolve({ status, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
  });
}

const newline = 0x0a;

function openWatch(
  session: ClientHttp2Session,
  path: string,
  onLines: (count: number) => void,
): Promise<{ close(): void }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, accept: 'application/json' });
    stream.on('response', () => resolve({ close: () => stream.close() }));
    stream.on('data', (chunk: Buffer) => {
      let count = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) {
        count += 1;
      }
      if (count > 0) onLines(count);
    });
    stream.on('error', reject);
  });
}
