// The SDK's client: loaded when it is first needed, with the credentials that a zone names or that
// the SDK finds, over our own transport. Input: options. Output: the client, and calls that end.

import type { Route53Client, Route53ClientConfig } from '@aws-sdk/client-route-53';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Exchange } from './route53-exchange.ts';

export interface Route53Options {
  readonly hostedZoneId: string;
  /** Assumed with the credentials below, or with what the SDK finds. */
  readonly roleArn?: string;
  /** Asked for by the role's trust policy (sts:ExternalId), where it is another company's. */
  readonly externalId?: string;
  /** Of Route 53. Default: the partition's, or AWS_ENDPOINT_URL_ROUTE_53. */
  readonly endpoint?: string;
  /** Absent: the SDK's usual chain (environment, files, IRSA, instance). */
  readonly credentials?: AwsKeys;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The parts of the SDK that are called. */
export interface OpenClient {
  readonly sdk: Sdk;
  readonly client: Route53Client;
}

type Sdk = Awaited<ReturnType<typeof loadSdk>>;

function loadSdk() {
  // Which line of the SDK is used on which Node is decided in package.json.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  return import('@aws-sdk/client-route-53');
}

/** What the first call would load, in one turn of 150 ms and more: for a process that starts. */
export async function loadRoute53Sdk(): Promise<void> {
  await loadSdk();
  await import('@aws-sdk/credential-providers');
}

export async function openClient(options: Route53Options, exchange: Exchange): Promise<OpenClient> {
  const { roleArn, endpoint } = options;
  const sdk = await loadSdk();
  const region = regionOf(roleArn);
  const client = new sdk.Route53Client({
    region,
    maxAttempts: 1,
    // The SDK asks no more of a transport than Exchange has; its types ask for its own classes.
    requestHandler: exchange as unknown as NonNullable<Route53ClientConfig['requestHandler']>,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(await toCredentials(options, region)),
  });
  return { sdk, client };
}

/** One call: whether its request has left, and who ended it. */
export class Call {
  readonly #controller = new AbortController();
  readonly ended: Promise<never>;
  wasSent = false;
  endedBy: 'deadline' | 'close' | undefined;

  constructor() {
    const { signal } = this.#controller;
    this.ended = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    this.ended.catch(() => undefined); // nobody may be waiting yet, or any more
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(by: 'deadline' | 'close'): void {
    this.endedBy ??= by;
    this.#controller.abort(new Error(`ended by ${by}`));
  }
}

async function toCredentials(
  { credentials: keys, roleArn, externalId }: Route53Options,
  region: string,
) {
  if (roleArn === undefined) return keys === undefined ? {} : { credentials: keys };
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  return {
    credentials: fromTemporaryCredentials({
      params: {
        RoleArn: roleArn,
        RoleSessionName: 'isthmus',
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      },
      clientConfig: { region, maxAttempts: 1 },
      ...(keys === undefined ? {} : { masterCredentials: keys }),
    }),
  };
}

// Route 53 is one service a partition; the region says which, and signs.
function regionOf(roleArn: string | undefined): string {
  const partition = roleArn?.split(':')[1];
  if (partition === 'aws-cn') return 'cn-northwest-1';
  if (partition === 'aws-us-gov') return 'us-gov-west-1';
  return process.env['AWS_REGION'] || process.env['AWS_DEFAULT_REGION'] || 'us-east-1';
}

/** Throttling is by account; of most credentials only they themselves are known. */
export function accountOf({ roleArn, credentials }: Route53Options): string {
  return roleArn?.split(':')[4] ?? credentials?.accessKeyId ?? 'environment';
}
