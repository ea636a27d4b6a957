// A TLS front before the API, for upstream's conformance program only. Its setup lists the nodes,
// pods and daemon sets of a cluster before the first case, and ends when it may not. Here these
// lists are empty. Some cases wait for the service account `default` of a namespace, or create an
// account just for its name: these are answered as if they were there. Everything else passes
// through, bytes unchanged, with the client's token.
//
// Input: a request of HTTP/1.1. Output: the API's answer, or one of those.

import { request, createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';

export interface ConformanceFront {
  readonly port: number;
  close(): Promise<void>;
}

interface EmptyKind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** What the setup and each case's end list, and no federation serves. */
const emptyKinds: Readonly<Record<string, EmptyKind>> = {
  '/api/v1/nodes': { apiVersion: 'v1', kind: 'NodeList' },
  '/api/v1/pods': { apiVersion: 'v1', kind: 'PodList' },
  '/apis/apps/v1/daemonsets': { apiVersion: 'apps/v1', kind: 'DaemonSetList' },
};

const inNamespace = /\/namespaces\/([^/]+)\/(pods|daemonsets)$/;
const accountsPath = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts$/;
const origin = 'https://front.invalid';
const bodyBytesMax = 1 << 20;

/** Listens on a free port of 127.0.0.1. The caller closes it. */
export async function openConformanceFront(behind: {
  /** Of the API behind it. */
  readonly url: string;
  readonly caPem: string;
  readonly keys: KeyPairPem;
}): Promise<ConformanceFront> {
  const { caPem, keys } = behind;
  const server = createServer({ cert: keys.certPem, key: keys.keyPem }, (asked, answer) => {
    const url = new URL(asked.url ?? '/', origin);
    const empty = emptyKinds[url.pathname.replace(inNamespace, '/$2')];
    const accounts = accountsPath.exec(url.pathname)?.[1];
    if (accounts !== undefined) answerAccounts(asked, answer, { namespace: accounts, url });
    else if (asked.method !== 'GET' || empty === undefined) {
      pass(asked, answer, { url: new URL(`${url.pathname}${url.search}`, behind.url), caPem });
    } else sendJson(answer, 200, { ...empty, metadata: { resourceVersion: '1' }, items: [] });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the front has no port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A list of the one account that a namespace is born with, a watch that stays silent, an echo. */
function answerAccounts(
  asked: IncomingMessage,
  answer: ServerResponse,
  { namespace, url }: { readonly namespace: string; readonly url: URL },
): void {
  if (asked.method === 'POST') {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => {
      if (chunks.length < bodyBytesMax / chunk.length) chunks.push(chunk);
    });
    asked.on('end', () => {
      const name = /"name":"([^"]+)"|e2e/.exec(Buffer.concat(chunks).toString('latin1'))?.[1];
      sendJson(answer, 201, toAccount(name ?? 'e2e', namespace));
    });
  } else if (url.searchParams.has('watch')) {
    answer.writeHead(200, { 'Content-Type': 'application/json' });
    answer.flushHeaders();
  } else {
    const metadata = { resourceVersion: '1' };
    const items = [toAccount('default', namespace)];
    sendJson(answer, 200, { apiVersion: 'v1', kind: 'ServiceAccountList', metadata, items });
  }
}

function toAccount(name: string, namespace: string): object {
  const metadata = { name, namespace, uid: `${namespace}-${name}`, resourceVersion: '1' };
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata };
}

function sendJson(answer: ServerResponse, status: number, body: object): void {
  answer.writeHead(status, { 'Content-Type': 'application/json' });
  answer.end(JSON.stringify(body));
}

function pass(
  asked: IncomingMessage,
  answer: ServerResponse,
  { url, caPem }: { readonly url: URL; readonly caPem: string },
): void {
  const behind = request(
    url,
    { method: asked.method, headers: asked.headers, ca: caPem },
    (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.rawHeaders);
      answer.flushHeaders();
      answered.pipe(answer);
      answered.on('error', () => answer.destroy());
    },
  );
  behind.on('error', () => answer.destroy());
  // A watch that its client gives up has to end behind it too.
  answer.on('close', () => behind.destroy());
  asked.pipe(behind);
}
