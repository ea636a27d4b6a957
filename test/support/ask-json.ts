// One request to a Kubernetes API with JSON both ways, on a connection of its own.

import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';

export interface AskedJson {
  /** GET when absent. */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: object | string;
  /** Of another user; an empty text sends none. */
  readonly token?: string;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text parsed, or undefined when it is not JSON. */
  readonly json: unknown;
}

const answerMs = 10_000;

export function askJson(
  server: { readonly url: string; readonly caPem: string; readonly token: string },
  asked: AskedJson,
): Promise<JsonAnswer> {
  const { method = 'GET', path, token = server.token, body } = asked;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const headers = {
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
    ...asked.headers,
  };
  return new Promise((resolve, reject) => {
    const options = { method, headers, ca: server.caPem, agent: false as const, timeout: answerMs };
    const outgoing = request(`${server.url}${path}`, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => void chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const all = Buffer.concat(chunks).toString('utf8');
        const json = toJson(all);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: all, json });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
