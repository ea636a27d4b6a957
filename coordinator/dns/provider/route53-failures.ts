// What a failed call of Route 53 means: who is to blame, whether anything was changed, and the way
// out. Input: the SDK's error and what is known of the exchange. Output: a Failure; outcomes of a
// batch; the error of a reading call. Pure.
//
//   F1. `unavailable` only where nothing was sent. An answer that is none of the service's, or a
//       5xx, may hide a change that was made: `unknown`.
//   F2. Nothing of a signature or token gets into a message (I9).

import { MeshError } from '../../../common/pure/errors.ts';
import type { GroupOutcome, RecordBatch } from './provider.ts';
import { fromRoute53Name } from './route53-text.ts';

export type Failure =
  /** InvalidChangeBatch and the like: one text for each thing that is wrong. */
  | { readonly kind: 'refused'; readonly messages: readonly string[] }
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly message: string }
  | { readonly kind: 'denied'; readonly message: string }
  | { readonly kind: 'noZone'; readonly message: string }
  | { readonly kind: 'noChange' }
  /** No answer in time. */
  | { readonly kind: 'timeout'; readonly message: string }
  /** No answer that can be trusted. */
  | { readonly kind: 'failed'; readonly message: string };

export interface CallFacts {
  readonly hostedZoneId: string;
  /** The request left for the service. */
  readonly wasSent: boolean;
  /** Who ended the call, where it was not the service. */
  readonly endedBy: 'deadline' | 'close' | undefined;
  readonly timeoutMs: number;
}

const throttlingCodes = new Set([
  'Throttling',
  'ThrottlingException',
  'RequestThrottled',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'SlowDown',
  'PriorRequestNotComplete',
]);

// What AWS says of credentials, and what the reader can do.
const credentialHints: Readonly<Record<string, string>> = {
  ExpiredToken: 'the session token has expired: write fresh credentials into the Secret',
  ExpiredTokenException: 'the session token has expired: write fresh credentials into the Secret',
  TokenRefreshRequired: 'the session token has expired: write fresh credentials into the Secret',
  InvalidClientTokenId: 'AWS does not know the access key: check aws_access_key_id in the Secret',
  UnrecognizedClientException:
    'AWS does not know the access key: check aws_access_key_id in the Secret',
  SignatureDoesNotMatch:
    'the secret key does not belong to the access key: check aws_secret_access_key in the Secret',
  IncompleteSignature: 'the access key cannot be used: check aws_access_key_id in the Secret',
  MissingAuthenticationToken: 'the request carried no credentials: check the Secret',
  RequestExpired: "the coordinator's clock is wrong: signatures are good for a few minutes only",
  OptInRequired: 'the AWS account is not open for Route 53',
  CredentialsProviderError:
    'no AWS credentials were found: name a Secret in spec.secretRef, or give the coordinator ' +
    'an IAM role (IRSA, instance profile) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
};

interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** Of the older XML form, and of InvalidChangeBatch as the SDK models it. */
  readonly messages: readonly string[];
}

export function explainFailure(error: unknown, facts: CallFacts): Failure {
  if (facts.endedBy === 'close') return { kind: 'failed', message: 'the provider was closed' };
  if (facts.endedBy === 'deadline') {
    const message = facts.wasSent
      ? `Route 53 did not answer within ${facts.timeoutMs} ms`
      : `Route 53 could not be reached within ${facts.timeoutMs} ms`;
    return { kind: 'timeout', message };
  }
  const found = readSdkError(error);
  const { name, status } = found;
  if (name === 'InvalidChangeBatch' || (status === 400 && found.messages.length > 0)) {
    return { kind: 'refused', messages: listOf(found) };
  }
  if (throttlingCodes.has(name)) return { kind: 'throttled', message: say(found) };
  const hint = credentialHints[name];
  if (hint !== undefined) return { kind: 'denied', message: `${hint} (${name})${idOf(found)}` };
  if (name === 'NoSuchHostedZone') return { kind: 'noZone', message: sayNoZone(found, facts) };
  if (name === 'NoSuchChange') return { kind: 'noChange' };
  // Also what a proxy says in the service's place.
  if (name.startsWith('AccessDenied') || status === 401 || status === 403 || status === 407) {
    return { kind: 'denied', message: sayDenied(found, facts) };
  }
  if (status === 429) return { kind: 'throttled', message: say(found) };
  if (['InvalidInput', 'InvalidArgument', 'ValidationError', 'NoSuchHealthCheck'].includes(name)) {
    return { kind: 'refused', messages: [found.message] };
  }
  return { kind: 'failed', message: say(found) };
}

function readSdkError(error: unknown): SdkError {
  // An SDK's errors have more fields than their classes say; each is narrowed here.
  const raw = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly message?: unknown;
    readonly messages?: unknown;
    readonly Messages?: { readonly Message?: unknown };
    readonly code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: unknown; readonly requestId?: unknown };
  };
  const { httpStatusCode: status, requestId } = raw.$metadata ?? {};
  return {
    name: String(raw.name ?? 'Error'),
    message: String(raw.message || raw.code || raw.name),
    status: typeof status === 'number' ? status : undefined,
    requestId: typeof requestId === 'string' ? requestId : undefined,
    messages: [raw.messages ?? [], raw.Messages?.Message ?? []].flat().map(String),
  };
}

/** The new form is one text, `[first, second]`; a comma within one is not followed by its start. */
function listOf({ messages, message }: SdkError): readonly string[] {
  if (messages.length > 0) return messages;
  return message
    .replace(/^\[([\s\S]*)\]$/, '$1')
    .split(
      /, (?=(?:Tried to|RRSet|The |Invalid|FATAL|Number of|RDATA|Duplicate|Exceeded|Cannot)\b)/,
    );
}

function say(found: SdkError): string {
  if (/Deserialization error|XML parse error|^UnknownError$/.test(found.message)) {
    return (
      `HTTP ${found.status ?? 'answer'} in a form that is not Route 53's: ` +
      'check spec.route53.endpoint, and proxies on the way'
    );
  }
  const text = found.message.slice(0, messageCharsMax);
  const status = found.status === undefined ? '' : ` ${found.status}`;
  const code = found.name === 'Error' || text.includes(found.name) ? '' : ` ${found.name}:`;
  return `Route 53:${status}${code} ${text}${idOf(found)}`;
}

const messageCharsMax = 600;

/** AWS's support asks for it. */
function idOf({ requestId }: SdkError): string {
  return requestId === undefined ? '' : ` (request ${requestId})`;
}

function sayNoZone(found: SdkError, { hostedZoneId }: CallFacts): string {
  return (
    `Route 53 has no hosted zone ${hostedZoneId} for these credentials: check ` +
    `spec.route53.hostedZoneId, and that the zone is in the account of the ` +
    `credentials or of spec.route53.roleArn${idOf(found)}`
  );
}

function sayDenied(found: SdkError, { hostedZoneId }: CallFacts): string {
  // STS' word on the way to Route 53, where nothing of the hosted zone was asked yet.
  if (/sts:AssumeRole/.test(found.message)) {
    return (
      `${say(found).replace(/^Route 53:/, 'AWS STS:')}: the trust policy of the role has to name ` +
      'the account of the credentials, and their own policy has to allow sts:AssumeRole on it ' +
      '(a role that asks for an external ID: spec.route53.externalId)'
    );
  }
  return (
    `${say(found)}: the IAM policy of the credentials has to allow it on ` +
    `arn:aws:route53:::hostedzone/${hostedZoneId}`
  );
}

/** What a failed batch means for each of its groups. */
export function toOutcomes(
  batch: RecordBatch,
  failure: Failure,
  wasSent: boolean,
): ReadonlyMap<string, GroupOutcome> {
  if (failure.kind === 'refused') return blame(batch, failure.messages);
  const outcome = toOutcome(failure, wasSent);
  return new Map(batch.groups.map(({ id }) => [id, outcome]));
}

function toOutcome(
  failure: Exclude<Failure, { readonly kind: 'refused' }>,
  wasSent: boolean,
): GroupOutcome {
  switch (failure.kind) {
    case 'throttled':
      return failure;
    case 'denied':
    case 'noZone':
      return { kind: 'denied', message: failure.message };
    case 'noChange':
      return { kind: 'unknown', message: 'Route 53 answered with an error of another call' };
    default:
      return { kind: wasSent ? 'unknown' : 'unavailable', message: failure.message };
  }
}

/** The error of a reading call. */
export function toReadError(failure: Failure, cause: unknown): MeshError {
  switch (failure.kind) {
    case 'throttled':
      return new MeshError('retryable', 'DNS_THROTTLED', failure.message, cause);
    case 'denied':
      return new MeshError('fatal', 'DNS_DENIED', failure.message, cause);
    case 'noZone':
      return new MeshError('fatal', 'DNS_NO_ZONE', failure.message, cause);
    case 'timeout':
      return new MeshError('retryable', 'DNS_TIMEOUT', failure.message, cause);
    case 'refused':
      return new MeshError('retryable', 'DNS_UNAVAILABLE', failure.messages.join('; '), cause);
    case 'noChange':
      return new MeshError('retryable', 'DNS_UNAVAILABLE', 'Route 53 knows no such change', cause);
    case 'failed':
      return new MeshError('retryable', 'DNS_UNAVAILABLE', failure.message, cause);
  }
}

/** Who of the batch is named in the texts. Nobody: everything is `notTried`, and halved. */
function blame(batch: RecordBatch, messages: readonly string[]): ReadonlyMap<string, GroupOutcome> {
  const { groups, fence } = batch;
  const texts = new Map<string, { isConflict: boolean; readonly texts: string[] }>();
  for (const message of messages) {
    for (const id of namedIn(message, batch)) {
      const entry = texts.get(id) ?? { isConflict: true, texts: [] };
      entry.isConflict &&= conflictText.test(message);
      entry.texts.push(message.slice(0, messageCharsMax));
      texts.set(id, entry);
    }
  }
  const fenced = texts.get(fenceId);
  if (fence !== undefined && fenced !== undefined) {
    const outcome: GroupOutcome = { kind: 'fenced', message: fenced.texts.join('; ') };
    return new Map(groups.map(({ id }) => [id, outcome]));
  }
  const [only] = groups;
  if (texts.size === 0 && groups.length === 1 && only !== undefined) {
    return new Map([[only.id, { kind: 'rejected', message: messages.join('; ') }]]);
  }
  return new Map(
    groups.map(({ id }): [string, GroupOutcome] => {
      const entry = texts.get(`group ${id}`);
      if (entry === undefined) return [id, { kind: 'notTried' }];
      const kind = entry.isConflict ? 'conflict' : 'rejected';
      return [id, { kind, message: entry.texts.join('; ') }];
    }),
  );
}

const fenceId = 'fence';

/**
 * Something stands there that the group does not know of. All else cannot be as it was sent.
 * The last is how moto, and LocalStack with it, say that a set to be deleted is not as it stands.
 */
const conflictText =
  /already exists|was not found|do not match the current|conflicting RRSet|other RRSets exist|set exists with the same name|Action=DELETE/;

/** Groups, as `group ID`, and the fence, of which the text names a record set. */
function namedIn(message: string, batch: RecordBatch): readonly string[] {
  const byIndex = /changes\.(\d+)\.member/.exec(message)?.[1];
  if (byIndex !== undefined) {
    const owner = ownersInOrder(batch)[Number(byIndex) - 1];
    return owner === undefined ? [] : [owner];
  }
  const names = new Set(
    [...message.matchAll(/'([^']+)'|(?:DNS name |\bName=)([^\s,]+?)\.?(?=[,\s]|$)/g)].map(
      ([, quoted = '', plain]) =>
        // Some texts quote type and name together.
        fromRoute53Name(plain ?? quoted.split(' ').at(-1) ?? ''),
    ),
  );
  const owners = new Set<string>();
  for (const { owner, sets } of partsOf(batch)) {
    if (sets.some(({ name }) => names.has(name))) owners.add(owner);
  }
  return [...owners];
}

/** The batch's parts in the order in which they are sent: see route53.ts. */
export function partsOf(batch: RecordBatch) {
  const { fence, groups } = batch;
  return [
    ...(fence === undefined ? [] : [{ owner: fenceId, group: fence }]),
    ...groups.map((group) => ({ owner: `group ${group.id}`, group })),
  ].map(({ owner, group }) => ({ owner, group, sets: [...group.deletes, ...group.creates] }));
}

/** The owner of each change of the request. */
function ownersInOrder(batch: RecordBatch): readonly string[] {
  const parts = partsOf(batch);
  return [
    ...parts.flatMap(({ owner, group }) => group.deletes.map(() => owner)),
    ...parts.flatMap(({ owner, group }) => group.creates.map(() => owner)),
  ];
}
