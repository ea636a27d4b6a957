// The admin port of coordinator and agent: /healthz, /livez, /readyz and /metrics over plain
// HTTP. Readiness answers 503 with the list of what is not ready, so that nobody has to guess.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from './settings.ts';

/** One readiness check: undefined when it passes, else why not. */
export type ReadyCheck = () => string | undefined;

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface AdminOptions {
  readonly listen: Address;
  readonly checks: Readonly<Record<string, ReadyCheck>>;
  readonly metrics: () => Promise<string>;
}

// A scrape or a probe has no body worth reading and ends within seconds.
const requestTimeoutMs = 10_000;
const connectionsMax = 256;

/** Listens; rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function startAdminServer(options: AdminOptions): Promise<AdminServer> {
  const server = createServer((request, response) => {
    void answer(request, response, options).catch(() => response.destroy());
  });
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = requestTimeoutMs;
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen.port, options.listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdminOptions,
): Promise<void> {
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return send(response, 405, 'GET only\n');
  const path = (request.url ?? '/').split('?', 1)[0];
  switch (path) {
    case '/healthz':
    case '/livez':
      return send(response, 200, 'ok\n');
    case '/readyz': {
      const { ready, text } = describeReadiness(options.checks);
      return send(response, ready ? 200 : 503, text);
    }
    case '/metrics':
      return send(
        response,
        200,
        await options.metrics(),
        'text/plain; version=0.0.4; charset=utf-8',
      );
    default:
      return send(response, 404, 'try /healthz, /livez, /readyz or /metrics\n');
  }
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}

/** Kubernetes' verbose form: one line per check. */
export function describeReadiness(checks: Readonly<Record<string, ReadyCheck>>): {
  readonly ready: boolean;
  readonly text: string;
} {
  const results = Object.entries(checks).map(([name, check]) => ({ name, why: check() }));
  const lines = results.map(({ name, why }) =>
    why === undefined ? `[+]${name} ok` : `[-]${name}: ${why}`,
  );
  const ready = results.every(({ why }) => why === undefined);
  return { ready, text: `${lines.join('\n')}\n${ready ? 'ready' : 'not ready'}\n` };
}
