// Cloud DNS' API over HTTP, for tests: one project with one managed zone, its token endpoint, and a
// script of faults. Every time is the clock's. The rules of the zone are in zone.ts.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { Accounts } from './accounts.ts';
import {
  StoredZone,
  usualQuotas,
  type ApiFault,
  type CloudDnsQuotas,
  type StoredChange,
  type StoredSet,
} from './zone.ts';

/** What happens to a request instead of what should. */
export type CloudDnsFault =
  | 'rate403'
  | 'rate429'
  | 'serverError'
  | 'tooLarge'
  /** The connection ends before the change is made, or after. */
  | 'dropBefore'
  | 'dropAfter'
  | 'hang'
  | 'forbidden'
  | 'unauthorized'
  | 'apiOff'
  | 'noBilling'
  | 'garbage';

export interface CloudDnsDoubleOptions {
  readonly clock: Clock;
  readonly dnsName?: string;
  readonly visibility?: 'public' | 'private';
  readonly quotas?: Partial<CloudDnsQuotas>;
  /** Requests of a minute; more are answered 403 rateLimitExceeded. Default: no limit. */
  readonly perMinute?: number;
  /** From accepted to served. Default: 5 s. */
  readonly lagMs?: number;
}

export interface CloudDnsDouble {
  readonly url: string;
  readonly project: string;
  readonly managedZone: string;
  readonly zone: StoredZone;
  readonly accounts: Accounts;
  /** As a service account's key file. */
  readonly credentials: Readonly<Record<string, string>>;
  /** `METHOD path` of every request to the API, in order. */
  readonly requests: string[];
  readonly sockets: () => number;
  /** Of the next change, of every request from now on, or of every request for a token. */
  faults: { change?: CloudDnsFault; all?: CloudDnsFault; token?: 'hang' | 'serverError' };
  close(): Promise<void>;
}

const project = 'fixture';
const managedZone = 'public-zone';
const base = `/dns/v1/projects/${project}`;
const pageDefault = 100;
const pageMax = 1000;

export async function openCloudDnsDouble(options: CloudDnsDoubleOptions): Promise<CloudDnsDouble> {
  const { clock, dnsName = 'cloud.test.', lagMs = 5000 } = options;
  const quotas = { ...usualQuotas, ...options.quotas };
  const zone = new StoredZone({ dnsName, quotas, lagMs, clock });
  const accounts = new Accounts(clock);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    void answer(double, { request, response, options, quotas }).catch((error: unknown) => {
      response.destroy(error as Error); // the test sees a lost answer and the reason
    });
  });
  let sockets = 0;
  server.on('connection', (socket) => {
    sockets += 1;
    socket.on('close', () => (sockets -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = accounts.keyFile(`${url}/token`);
  const double: CloudDnsDouble = {
    url,
    project,
    managedZone,
    zone,
    accounts,
    credentials,
    requests,
    sockets: () => sockets,
    faults: {},
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return double;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: CloudDnsDoubleOptions;
  readonly quotas: CloudDnsQuotas;
}

async function answer(double: CloudDnsDouble, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const url = new URL(request.url ?? '/', double.url);
  const body = await readBody(request);
  if (url.pathname === '/token') {
    answerToken(double, response, body);
    return;
  }
  double.requests.push(`${request.method} ${url.pathname}${url.search}`);
  const isChange = request.method === 'POST' && url.pathname.endsWith('/changes');
  const fault = double.faults.all ?? (isChange ? double.faults.change : undefined);
  if (isChange && double.faults.all === undefined) delete double.faults.change;
  if (fault === 'hang') return;
  if (fault === 'dropBefore') {
    request.socket.destroy();
    return;
  }
  if (fault === 'garbage') {
    send(response, 200, '<html>a proxy</html>');
    return;
  }
  const refusal = refuseBefore(double, exchange, fault);
  const result = refusal === undefined ? route(double, exchange, url, body) : toError([refusal]);
  if (fault === 'dropAfter') request.socket.destroy();
  else {
    if (fault === 'rate429') response.setHeader('retry-after', '2');
    send(response, result.status, result.body);
  }
}

function answerToken(double: CloudDnsDouble, response: ServerResponse, form: string): void {
  if (double.faults.token === 'hang') return;
  if (double.faults.token === 'serverError') {
    send(response, 503, { error: 'backend' });
    return;
  }
  const { status, body } = double.accounts.exchange(form);
  send(response, status, body);
}

const scripted: Readonly<Partial<Record<CloudDnsFault, ApiFault>>> = {
  rate403: { code: 403, reason: 'rateLimitExceeded', message: 'Rate Limit Exceeded' },
  rate429: { code: 429, reason: 'rateLimitExceeded', message: 'Quota exceeded for quota metric' },
  serverError: { code: 503, reason: 'backendError', message: 'Backend Error' },
  tooLarge: { code: 413, reason: 'uploadTooLarge', message: 'Request Entity Too Large' },
  forbidden: { code: 403, reason: 'forbidden', message: 'Forbidden' },
  unauthorized: { code: 401, reason: 'authError', message: 'Invalid Credentials' },
  apiOff: {
    code: 403,
    reason: 'accessNotConfigured',
    message: 'Google Cloud DNS API has not been used in project fixture before or it is disabled.',
  },
  noBilling: {
    code: 403,
    reason: 'inactiveBillingState',
    message:
      'Project fixture cannot accept requests to dns.changes.create while in an inactive billing state.',
  },
};

const minuteMs = 60_000;
const minutes = new WeakMap<CloudDnsDouble, number[]>();

function refuseBefore(
  double: CloudDnsDouble,
  { request, options }: Exchange,
  fault: CloudDnsFault | undefined,
): ApiFault | undefined {
  const planned = fault === undefined ? undefined : scripted[fault];
  if (planned !== undefined) return planned;
  if (!double.accounts.accepts(request.headers.authorization)) return scripted.unauthorized;
  if (options.perMinute === undefined) return undefined;
  const nowMs = options.clock.monotonicMs();
  const recent = (minutes.get(double) ?? []).filter((atMs) => atMs > nowMs - minuteMs);
  minutes.set(double, recent);
  if (recent.length >= options.perMinute) return scripted.rate403;
  recent.push(nowMs);
  return undefined;
}

interface Result {
  readonly status: number;
  readonly body: unknown;
}

function route(double: CloudDnsDouble, exchange: Exchange, url: URL, body: string): Result {
  const { request, options, quotas } = exchange;
  const path = decodeURIComponent(url.pathname);
  const zonePath = `${base}/managedZones/${managedZone}`;
  if (path === base) return toProject(quotas);
  if (path === `${base}/managedZones`) {
    const managedZones = [toManagedZone(double.zone, options)];
    return { status: 200, body: { kind: 'dns#managedZonesListResponse', managedZones } };
  }
  if (path !== zonePath && !path.startsWith(`${zonePath}/`)) {
    const name = /\/managedZones\/([^/]+)/.exec(path)?.[1];
    const [what, which] = path.startsWith(`${base}/`)
      ? ['managedZone', name]
      : ['project', path.split('/')[4]];
    const message = `The 'parameters.${what}' resource named '${which}' does not exist.`;
    return toError([{ code: 404, reason: 'notFound', message }]);
  }
  const rest = path.slice(zonePath.length);
  if (rest === '') return { status: 200, body: toManagedZone(double.zone, options) };
  if (rest === '/rrsets') return listSets(double.zone, url.searchParams);
  if (rest === '/changes' && request.method === 'POST') return change(double.zone, body);
  if (rest === '/changes') return listChanges(double.zone);
  const id = /^\/changes\/(.+)$/.exec(rest)?.[1] ?? '';
  const found = double.zone.changes.find((one) => one.id === id);
  if (found !== undefined) return { status: 200, body: toChange(found) };
  const message = `The 'parameters.changeId' resource named '${id}' does not exist.`;
  return toError([{ code: 404, reason: 'notFound', message }]);
}

function toProject(quotas: CloudDnsQuotas): Result {
  const quota = { kind: 'dns#quota', managedZones: 10_000, ...quotas };
  return { status: 200, body: { kind: 'dns#project', number: '42', id: project, quota } };
}

function toManagedZone(zone: StoredZone, { visibility = 'public' }: CloudDnsDoubleOptions): object {
  return {
    kind: 'dns#managedZone',
    name: managedZone,
    dnsName: zone.dnsName,
    description: '',
    id: '4711',
    nameServers: zone.nameServers,
    creationTime: '2026-01-01T00:00:00.000Z',
    visibility,
  };
}

function listSets(zone: StoredZone, query: URLSearchParams): Result {
  const [name, type, max] = [query.get('name'), query.get('type'), query.get('maxResults')];
  const size = Math.min(Number(max ?? pageDefault), pageMax);
  if (!(size > 0)) return invalid('maxResults', max);
  if (type !== null && name === null) return invalid('name', '');
  if (name !== null && !name.endsWith('.')) return invalid('name', name);
  const all = (name === null ? zone.list() : zone.at(name)).filter(
    (set) => type === null || set.type === type,
  );
  const token = query.get('pageToken');
  const start = token === null ? 0 : all.findIndex((set) => tokenOf(set) === token) + 1;
  if (token !== null && start === 0) return invalid('pageToken', token);
  const rrsets = all.slice(start, start + size).map(toRrset);
  const last = all[start + size - 1];
  const next = start + size < all.length && last !== undefined ? tokenOf(last) : undefined;
  const head = { kind: 'dns#resourceRecordSetsListResponse', rrsets };
  return { status: 200, body: next === undefined ? head : { ...head, nextPageToken: next } };
}

function tokenOf({ name, type }: StoredSet): string {
  return Buffer.from(`${name} ${type}`).toString('base64');
}

function invalid(parameter: string, value: string | null): Result {
  const message = `Invalid value for 'parameters.${parameter}': '${value}'`;
  return toError([{ code: 400, reason: 'invalidParameter', message }]);
}

/** As the service shows one: with kinds, and data or a policy. */
function toRrset(set: StoredSet): object {
  const { wrr, ...others } = set.routingPolicy ?? {};
  if (set.routingPolicy === undefined) {
    return { kind: 'dns#resourceRecordSet', ...set, signatureRrdatas: [] };
  }
  const items = wrr?.items?.map((item) => ({
    kind: 'dns#rRSetRoutingPolicyWrrPolicyWrrPolicyItem',
    ...item,
    signatureRrdatas: [],
  }));
  const policy =
    items === undefined ? {} : { wrr: { kind: 'dns#rRSetRoutingPolicyWrrPolicy', items } };
  const routingPolicy = { kind: 'dns#rRSetRoutingPolicy', ...others, ...policy };
  return { kind: 'dns#resourceRecordSet', ...set, routingPolicy };
}

function change(zone: StoredZone, body: string): Result {
  const sent = JSON.parse(body) as {
    readonly additions?: readonly StoredSet[];
    readonly deletions?: readonly StoredSet[];
  };
  const { additions = [], deletions = [] } = sent;
  if (additions.length + deletions.length === 0) {
    const message = "The 'entity.change' parameter is required but was missing.";
    return toError([{ code: 400, reason: 'required', message }]);
  }
  const changed = zone.change(additions.map(toStored), deletions.map(toStored));
  if (Array.isArray(changed)) return toError(changed as readonly ApiFault[]);
  return { status: 200, body: toChange(changed as StoredChange) };
}

function toStored({ name, type, ttl, rrdatas, routingPolicy }: StoredSet): StoredSet {
  return {
    name,
    type,
    ttl,
    ...(rrdatas === undefined ? {} : { rrdatas }),
    ...(routingPolicy === undefined ? {} : { routingPolicy }),
  };
}

function listChanges(zone: StoredZone): Result {
  const changes = zone.changes.toReversed().slice(0, pageDefault).map(toChange);
  return { status: 200, body: { kind: 'dns#changesListResponse', changes } };
}

function toChange({ additions, deletions, ...rest }: StoredChange): object {
  const lists = { additions: additions.map(toRrset), deletions: deletions.map(toRrset) };
  return { kind: 'dns#change', ...lists, ...rest, isServing: false };
}

function toError(faults: readonly ApiFault[]): Result {
  const [first] = faults;
  const code = first?.code ?? 500;
  const errors = faults.map(({ reason, message }) => ({ message, domain: 'global', reason }));
  return { status: code, body: { error: { code, message: first?.message ?? '', errors } } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/html' : 'application/json; charset=UTF-8';
  response.writeHead(status, { 'content-type': type });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
