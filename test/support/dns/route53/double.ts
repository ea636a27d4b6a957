// A double of Route 53 (and of STS, for assumed roles) as an HTTP server, for the real SDK and the
// aws command line: signatures, throttling, whole batches, PENDING to INSYNC with DNS that lags.
// What it does wrong on purpose is scripted: `faults`. All timing is by the Clock.
//
// Next: service.ts (actions), hosted-zone.ts (rules of a zone), dns-view.ts (what DNS answers).

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { sleep, systemClock, toTimestamp, type Clock } from '../../../../common/runtime/clock.ts';
import { listenDns } from '../../../../common/runtime/dns-sockets.ts';
import { answerDns } from './dns-view.ts';
import type { HostedZone } from './hosted-zone.ts';
import { canonicalName } from './names.ts';
import {
  requestId,
  Route53Service,
  toAnswer,
  toError,
  type Action,
  type Answered,
  type ServiceOptions,
} from './service.ts';
import { checkSignature, type Principal } from './signature.ts';

export type Fault =
  /** The connection is cut, and the request was done or not. */
  | { readonly kind: 'cutBefore' | 'cutAfter' | 'hang' }
  | { readonly kind: 'slow'; readonly ms: number }
  /** This instead of what would be done. */
  | { readonly kind: 'answer'; readonly answer: Answered }
  /** Done when `release` is called; by then the caller has given up. */
  | { readonly kind: 'late' };

export interface Seen {
  readonly action: string;
  /** Of the answer; undefined: none was given. */
  status: number | undefined;
  readonly body: string;
}

export interface Route53Double {
  readonly endpoint: string;
  readonly dnsPort: number;
  readonly service: Route53Service;
  /** By access key id; `AKIATEST` is there. */
  readonly principals: Map<string, Principal>;
  /** Role ARNs that may be assumed, and the access key ids given out. */
  readonly roles: Map<string, string[]>;
  /** By role: the external ID that its trust policy asks for. */
  readonly externalIds: Map<string, string>;
  readonly seen: Seen[];
  /** For the next requests of an action, in order; `always` for all. */
  readonly faults: Map<Action, Fault[]>;
  readonly always: Map<Action, Fault>;
  /** An IAM policy: false denies. */
  allows: (action: Action, body: string) => boolean;
  /** Does the requests that were `late`, and answers what the service said to each. */
  release(): readonly Answered[];
  addZone(name: string): HostedZone;
  count(action: Action): number;
  close(): Promise<void>;
}

export const testKeys = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret/of+the=test' } as const;

export async function openRoute53Double(
  options: Partial<ServiceOptions> & { readonly latencyMs?: number } = {},
): Promise<Route53Double> {
  const clock = options.clock ?? systemClock;
  const service = new Route53Service({
    clock,
    requests: { perSecond: 10, burst: 50 },
    changes: { perSecond: 1_000, burst: 10_000 },
    busyMs: 0,
    propagationMs: 0,
    recordSetsMax: 10_000,
    ...options,
  });
  const waiting: (() => Answered)[] = [];
  const sockets = new Set<Socket>();
  const double = {
    service,
    principals: new Map<string, Principal>([
      [testKeys.accessKeyId, { secretAccessKey: testKeys.secretAccessKey }],
    ]),
    roles: new Map<string, string[]>(),
    externalIds: new Map<string, string>(),
    seen: [] as Seen[],
    faults: new Map<Action, Fault[]>(),
    always: new Map<Action, Fault>(),
    allows: (_action: Action, _body: string): boolean => true,
  };
  const server = createServer((request, response) => {
    void serve(request, response, { double, clock, waiting, latencyMs: options.latencyMs ?? 0 });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const zones = (): Iterable<HostedZone> => [...service.zones.values()].map(({ zone }) => zone);
  const dns = await listenDns({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    onIncident: () => undefined,
    answer: (bytes) => answerDns(bytes, { zones, addressesOf: () => ['203.0.113.80'] }),
  });
  return Object.assign(double, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dnsPort: dns.port,
    release: () => waiting.splice(0).map((run) => run()),
    addZone: (name: string) =>
      service.addZone(`Z${String(service.zones.size + 1).padStart(12, '0')}`, canonicalName(name)),
    count: (action: Action) => double.seen.filter((each) => each.action === action).length,
    close: async () => {
      if (!server.listening) return;
      for (const socket of sockets) socket.destroy();
      await Promise.all([new Promise((resolve) => server.close(resolve)), dns.close()]);
    },
  });
}

interface Serving {
  readonly double: Pick<
    Route53Double,
    'service' | 'principals' | 'roles' | 'externalIds' | 'seen' | 'faults' | 'always' | 'allows'
  >;
  readonly clock: Clock;
  readonly waiting: (() => Answered)[];
  readonly latencyMs: number;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { double, clock, waiting, latencyMs }: Serving,
): Promise<void> {
  const body = await readAll(request);
  if (body === undefined) return;
  const { method = '', url = '', headers } = request;
  const principal = checkSignature({ method, url, headers, body }, double.principals);
  const route = toRoute(method, url);
  const action = route?.action ?? (method === 'POST' ? 'AssumeRole' : 'Unknown');
  const seen: Seen = { action, status: undefined, body };
  double.seen.push(seen);
  const fault =
    route && (double.faults.get(route.action)?.shift() ?? double.always.get(route.action));
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'cutBefore') return void request.socket.destroy();
  if (fault?.kind === 'slow') await sleep(clock, fault.ms);
  if (latencyMs > 0) await sleep(clock, latencyMs);
  const decide = (): Answered => {
    // A web identity's own token stands for a signature.
    if (route === undefined && /Action=AssumeRoleWithWebIdentity/.test(body)) {
      return assumeRole(body, double, clock);
    }
    if (typeof principal === 'string') return refuse(principal);
    if (route === undefined) return assumeRole(body, double, clock);
    if (principal.isDenied === true || !double.allows(route.action, body)) {
      const on = `on resource: arn:aws:route53:::hostedzone/${route.id}`;
      const why = 'because no identity-based policy allows the action';
      const who = 'User: arn:aws:iam::123456789012:user/isthmus';
      const what = `is not authorized to perform: route53:${route.action}`;
      return toError(403, 'AccessDenied', `${who} ${what} ${on} ${why}`);
    }
    return double.service.answer({ ...route, body });
  };
  if (fault?.kind === 'late') return void waiting.push(decide);
  const answer = fault?.kind === 'answer' ? fault.answer : decide();
  if (fault?.kind === 'cutAfter') return void request.socket.destroy();
  seen.status = answer.status;
  response.writeHead(answer.status, {
    'content-type': 'text/xml',
    'x-amzn-requestid': requestId,
  });
  response.end(answer.body);
}

function readAll(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    const parts: Uint8Array[] = [];
    request.on('data', (part: Uint8Array) => parts.push(part));
    request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    request.on('error', () => resolve(undefined));
  });
}

const routes: readonly (readonly [string, RegExp, Action])[] = [
  ['POST', /^\/2013-04-01\/hostedzone\/([^/]+)\/rrset\/?$/, 'ChangeResourceRecordSets'],
  ['GET', /^\/2013-04-01\/hostedzone\/([^/]+)\/rrset\/?$/, 'ListResourceRecordSets'],
  ['GET', /^\/2013-04-01\/hostedzonelimit\/([^/]+)\/MAX_RRSETS_BY_ZONE$/, 'GetHostedZoneLimit'],
  ['GET', /^\/2013-04-01\/hostedzone\/([^/]+)$/, 'GetHostedZone'],
  ['GET', /^\/2013-04-01\/hostedzone()$/, 'ListHostedZones'],
  ['GET', /^\/2013-04-01\/change\/([^/]+)$/, 'GetChange'],
];

function toRoute(method: string, url: string) {
  const { pathname, searchParams: query } = new URL(url, 'http://double');
  for (const [verb, path, action] of routes) {
    const found = verb === method ? path.exec(pathname) : null;
    if (found !== null) return { action, id: found[1] ?? '', query };
  }
  return undefined;
}

const refusals: Readonly<Record<string, string>> = {
  MissingAuthenticationToken: 'Missing Authentication Token',
  InvalidClientTokenId: 'The security token included in the request is invalid',
  SignatureDoesNotMatch:
    'The request signature we calculated does not match the signature you provided. Check your AWS ' +
    'Secret Access Key and signing method. Consult the service documentation for details.',
  ExpiredToken: 'The security token included in the request is expired',
};

function refuse(code: string): Answered {
  return toError(403, code, refusals[code] ?? code);
}

/** STS, of which only this is needed; its answers have another namespace, which clients ignore. */
function assumeRole(
  body: string,
  { roles, externalIds, principals }: Pick<Route53Double, 'roles' | 'externalIds' | 'principals'>,
  clock: Clock,
): Answered {
  const form = new URLSearchParams(body);
  const given = roles.get(form.get('RoleArn') ?? '');
  const action = form.get('Action') ?? '';
  const wanted = externalIds.get(form.get('RoleArn') ?? '');
  const isTrusted = wanted === undefined || form.get('ExternalId') === wanted;
  if (!/^AssumeRole(WithWebIdentity)?$/.test(action) || given === undefined || !isTrusted) {
    const why = `User: arn:aws:iam::123456789012:user/isthmus is not authorized to perform: sts:AssumeRole on resource: ${form.get('RoleArn') ?? ''}`;
    return toError(403, 'AccessDenied', why);
  }
  const accessKeyId = `ASIATEST${given.length + 1}`;
  const [secretAccessKey, sessionToken] = [`secret of ${accessKeyId}`, `token of ${accessKeyId}`];
  given.push(accessKeyId);
  principals.set(accessKeyId, { secretAccessKey, sessionToken });
  return toAnswer(`${action}Response`, [
    [
      `${action}Result`,
      [
        [
          'Credentials',
          [
            ['AccessKeyId', accessKeyId],
            ['SecretAccessKey', secretAccessKey],
            ['SessionToken', sessionToken],
            ['Expiration', toTimestamp(clock.now() + 3_600_000)],
          ],
        ],
      ],
    ],
    ['ResponseMetadata', [['RequestId', requestId]]],
  ]);
}
