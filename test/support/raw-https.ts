// One HTTPS request as it is: any method, body and certificate; for what no client library sends.

import { request } from 'node:https';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Instead of the kubeconfig's own. */
  readonly client?: { readonly certPem: string; readonly keyPem: string };
}

const deadlineMs = 15_000;

/** Sends as the user of a kubeconfig; rejects when the connection fails. */
export async function askRaw(kubeconfig: string, asked: RawRequest): Promise<RawAnswer> {
  const endpoint = await loadKubeEndpoint({ kubeconfigPath: kubeconfig, context: undefined }, {});
  const certificate = asked.client ?? {
    certPem: endpoint.clientCertPem ?? '',
    keyPem: endpoint.clientKeyPem ?? '',
  };
  return new Promise((resolve, reject) => {
    const call = request(
      `${endpoint.server}${asked.path}`,
      {
        method: asked.method ?? 'GET',
        headers: {
          ...asked.headers,
          // Else node sends none with a GET, and its body is read as the next request.
          ...(asked.body === undefined ? {} : { 'content-length': Buffer.byteLength(asked.body) }),
        },
        ca: endpoint.caPem,
        cert: certificate.certPem,
        key: certificate.keyPem,
        agent: false,
        timeout: deadlineMs,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    call.on('timeout', () => call.destroy(new Error(`no answer in ${deadlineMs} ms`)));
    call.on('error', reject);
    call.end(asked.body);
  });
}
