// The API behind a real TLS port on the loopback address, with a CA of its own.

import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import {
  createCa,
  issueClientCertificate,
  issueServerCertificate,
} from '../../common/runtime/pki.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import {
  defaultHttpsLimits,
  listenHttps,
  type HttpsLimits,
  type HttpsListener,
} from '../../coordinator/api/https/https.ts';
import type { StartDoor } from '../../coordinator/api/https/door-life.ts';
import { startDoorThread } from '../../coordinator/api/https/door-thread.ts';
import type { Api } from '../../coordinator/api/machinery/api.ts';
import { createDoorHere } from './door-here.ts';
import { createAuthenticator } from '../../coordinator/api/machinery/access/authenticate.ts';

export interface HttpsFixture {
  readonly listener: HttpsListener;
  readonly ca: KeyPairPem;
  readonly server: KeyPairPem;
  readonly admin: KeyPairPem;
  /** What was counted so far: connection faults by kind, else by the metric's name. */
  readonly faults: ReadonlyMap<string, number>;
}

export const token = 'tell-nobody';
/** Of a user without groups: flow control refuses members of system:masters nothing. */
export const userToken = 'tell-nobody-either';
export const asUser = { authorization: `Bearer ${userToken}` } as const;

export async function listenForTest(
  api: Api,
  limits: Partial<HttpsLimits> = {},
  clock: Clock = systemClock,
  startDoor: StartDoor = clock === systemClock ? startDoorThread : createDoorHere(clock),
): Promise<HttpsFixture> {
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'test CA' });
  const server = await issueServerCertificate({
    ...common,
    ca,
    commonName: 'test server',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  });
  const admin = await issueClientCertificate({
    ...common,
    ca,
    commonName: 'admin',
    organizations: ['system:masters'],
  });
  const faults = new Map<string, number>();
  const listener = await listenHttps({
    api,
    host: '127.0.0.1',
    port: 0,
    tls: { certPem: server.certPem, keyPem: server.keyPem, clientCaPem: ca.certPem },
    authenticate: createAuthenticator([
      { token, user: 'robot', groups: ['system:masters'] },
      { token: userToken, user: 'bob', groups: [] },
    ]),
    limits: { ...defaultHttpsLimits, ...limits },
    clock,
    startDoor,
    log: silentLog,
    metrics: toFaultCounter(faults),
  });
  return { listener, ca, server, admin, faults };
}

function toFaultCounter(faults: Map<string, number>): Metrics {
  return {
    count: (name, labels = {}) => {
      const kind = labels['kind'] ?? name;
      faults.set(kind, (faults.get(kind) ?? 0) + 1);
    },
    gauge: () => undefined,
    observe: () => undefined,
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly client?: KeyPairPem;
}

/** One HTTP/1.1 request on a connection of its own. */
export function askHttp1({ listener, ca }: HttpsFixture, asked: Asked): Promise<HttpAnswer> {
  const agent = new Agent({ keepAlive: false });
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      `${listener.url}${asked.path}`,
      {
        method: asked.method ?? 'GET',
        headers: {
          ...asked.headers,
          ...(asked.body === undefined ? {} : { 'content-length': asked.body.length }),
        },
        ca: ca.certPem,
        agent,
        ...(asked.client === undefined
          ? {}
          : { cert: asked.client.certPem, key: asked.client.keyPem }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => void chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(asked.body);
  });
}

export function openHttp2({ listener, ca, admin }: HttpsFixture): ClientHttp2Session {
  return connectHttp2(listener.url, { ca: ca.certPem, cert: admin.certPem, key: admin.keyPem });
}

/** Without a certificate: a token names the user. */
export function openHttp2AsUser({ listener, ca }: HttpsFixture): ClientHttp2Session {
  return connectHttp2(listener.url, { ca: ca.certPem });
}

export function askHttp2(session: ClientHttp2Session, asked: Asked): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':path': asked.path,
      ':method': asked.method ?? 'GET',
      ...asked.headers,
    });
    let headers: IncomingHttpHeaders & { readonly ':status'?: number | undefined } = {};
    const chunks: Buffer[] = [];
    stream.on('response', (given) => {
      headers = given;
    });
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () =>
      resolve({ status: headers[':status'] ?? 0, headers, body: Buffer.concat(chunks) }),
    );
    stream.end(asked.body);
  });
}
