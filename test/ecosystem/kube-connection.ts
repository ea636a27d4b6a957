// A connection to a Kubernetes API as a kubeconfig describes it, for requests that are written by
// hand: with a token or a client certificate, one connection a request.

import { readFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { parse } from 'yaml';

export interface Asked {
  /** GET when absent. */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object;
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  /** The body as JSON, `{}` when it is none. */
  readonly json: Loose;
  /** The events of a watch; a line that is no JSON is one of type ERROR. */
  readonly lines: readonly Loose[];
}

/** What a test reads of JSON: absent parts are undefined and fail its assertion. */
export interface Loose {
  readonly [name: string]: unknown;
}

export type Ask = (asked: Asked) => Promise<Answered>;

interface Kubeconfig {
  readonly 'current-context': string;
  readonly contexts: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string };
  }[];
  readonly clusters: readonly { readonly name: string; readonly cluster: Texts }[];
  readonly users: readonly { readonly name: string; readonly user: Texts }[];
}

type Texts = Readonly<Record<string, string | undefined>>;

const answerMs = 15_000;

export function connectByKubeconfig(path: string): Ask {
  const config = parse(readFileSync(path, 'utf8')) as Kubeconfig;
  const current = config['current-context'];
  const context = config.contexts.find(({ name }) => name === current)?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster ?? {};
  const user = config.users.find(({ name }) => name === context?.user)?.user ?? {};
  const options: RequestOptions = {
    ca: readPart(cluster, 'certificate-authority'),
    cert: readPart(user, 'client-certificate'),
    key: readPart(user, 'client-key'),
    agent: false,
    timeout: answerMs,
  };
  const token = user['token'];
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (asked) => send(cluster['server'] ?? '', { ...options, headers: authorization }, asked);
}

function readPart(texts: Texts, name: string): Buffer | undefined {
  const [data, file] = [texts[`${name}-data`], texts[name]];
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : readFileSync(file);
}

function send(server: string, options: RequestOptions, asked: Asked): Promise<Answered> {
  const { method = 'GET', path, body } = asked;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...options.headers,
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
    ...asked.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${server}${path}`, { ...options, method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => void chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const all = Buffer.concat(chunks);
        const type = answer.headers['content-type'] ?? '';
        const lines = type.includes('json') ? toLines(all.toString('utf8')) : [];
        resolve({ status: answer.statusCode ?? 0, type, body: all, json: lines[0] ?? {}, lines });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

/** One document, which may be of several lines, or a watch's events, one a line. */
function toLines(text: string): readonly Loose[] {
  try {
    return [JSON.parse(text) as Loose];
  } catch {
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => toEvent(line));
  }
}

function toEvent(line: string): Loose {
  try {
    return JSON.parse(line) as Loose;
  } catch {
    return { type: 'ERROR', object: line };
  }
}

/** The part at a path such as `spec.ports.0.port`; undefined when there is none. */
export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inner, name) =>
        typeof inner === 'object' && inner !== null ? (inner as Loose)[name] : undefined,
      value,
    );
}

/** The list at a path; empty when there is none. */
export function listAt(value: unknown, path: string): readonly unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}
