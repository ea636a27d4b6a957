// How the provider of a DNSZone is to be opened. Input: its spec and its Secret. Output: what the
// adapter is given, or why it cannot be. Pure.
//
//   O1. Of a Secret, no message says more than the names of its keys (I9).
//   O2. Equal spec and Secret, equal id: nothing is opened again.

import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import { contentHash } from '../../../common/pure/digest.ts';
import { parseHostPort, type HostPort } from '../../../common/pure/host-port.ts';
import {
  parseTsigSecret,
  tsigSecretBytesMin,
  tsigSecretKey,
} from '../../../common/pure/tsig-secret.ts';
import type { Refusal } from './plan-conflicts.ts';

export type ProviderOpening =
  | {
      readonly kind: 'Route53';
      readonly hostedZoneId: string;
      readonly roleArn?: string;
      readonly externalId?: string;
      readonly endpoint?: string;
      /** Absent: what the SDK finds. */
      readonly credentials?: {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken?: string;
      };
    }
  | {
      readonly kind: 'CloudDNS';
      readonly project: string;
      readonly managedZone: string;
      readonly endpoint?: string;
      /** Absent: what the SDK finds. */
      readonly credentials?: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'RFC2136';
      readonly server: HostPort;
      readonly zone: string;
      readonly key: {
        readonly name: string;
        readonly algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
        readonly secret: Uint8Array;
      };
    };

export type Opening =
  /** The embedded zone. */
  | { readonly kind: 'none' }
  | ({ readonly kind: 'refused' } & Refusal)
  | { readonly kind: 'open'; readonly with: ProviderOpening; readonly id: string };

export function planOpening(spec: DnsZoneSpec, secret: KubeObject | undefined): Opening {
  if (spec.provider === 'Embedded') return checkTransferKey(spec, secret);
  const { secretRef } = spec;
  if (secretRef !== undefined && secret === undefined) return sayMissing(spec);
  const found = toOpening(spec, readKeys(secret));
  if ('reason' in found) return { kind: 'refused', ...found };
  return { kind: 'open', with: found, id: contentHash(Buffer.from(JSON.stringify(found))) };
}

type Keys = ReadonlyMap<string, Buffer>;

function readKeys(secret: KubeObject | undefined): Keys {
  const data = (secret as { readonly data?: unknown } | undefined)?.data;
  const entries = typeof data === 'object' && data !== null ? Object.entries(data) : [];
  return new Map(
    entries.flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, Buffer.from(value, 'base64')] as const] : [],
    ),
  );
}

function toOpening(spec: DnsZoneSpec, keys: Keys): ProviderOpening | Refusal {
  switch (spec.provider) {
    case 'Route53':
      return toRoute53(spec, keys);
    case 'CloudDNS':
      return toCloudDns(spec, keys);
    case 'RFC2136':
      return toRfc2136(spec, keys);
    case 'Embedded':
      return sayInvalid(spec, 'The embedded zone needs no Secret.');
  }
}

function toRoute53(spec: DnsZoneSpec, keys: Keys): ProviderOpening | Refusal {
  if (spec.route53 === undefined) return sayInvalid(spec, 'spec.route53 is missing.');
  const at = { kind: 'Route53', ...spec.route53 } as const;
  if (spec.secretRef === undefined) return at;
  const [accessKeyId, secretAccessKey, sessionToken] = [
    textOf(keys, 'aws_access_key_id'),
    textOf(keys, 'aws_secret_access_key'),
    textOf(keys, 'aws_session_token'),
  ];
  if (accessKeyId === '' || secretAccessKey === '') {
    const needs = 'It needs aws_access_key_id and aws_secret_access_key.';
    return sayInvalid(spec, `${needs} ${listed(keys)}`);
  }
  const given = { accessKeyId, secretAccessKey };
  return { ...at, credentials: sessionToken === '' ? given : { ...given, sessionToken } };
}

function toCloudDns(spec: DnsZoneSpec, keys: Keys): ProviderOpening | Refusal {
  if (spec.cloudDNS === undefined) return sayInvalid(spec, 'spec.cloudDNS is missing.');
  const at = { kind: 'CloudDNS', ...spec.cloudDNS } as const;
  if (spec.secretRef === undefined) return at;
  const text = textOf(keys, 'credentials.json');
  if (text === '') {
    return sayInvalid(spec, `It needs credentials.json, a service account key. ${listed(keys)}`);
  }
  const credentials = parseObject(text);
  if (credentials === undefined) {
    return sayInvalid(spec, 'Its credentials.json is no JSON object.');
  }
  return { ...at, credentials };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

function toRfc2136(spec: DnsZoneSpec, keys: Keys): ProviderOpening | Refusal {
  const { rfc2136 } = spec;
  const server = parseHostPort(rfc2136?.server ?? '');
  if (rfc2136 === undefined || server === undefined) {
    return sayInvalid(spec, 'spec.rfc2136.server is no host:port.');
  }
  const secret = toTsigSecret(spec, keys);
  if ('reason' in secret) return secret;
  const { tsigKeyName: name, tsigAlgorithm: algorithm = 'hmac-sha256' } = rfc2136;
  const key = { name: name.toLowerCase().replace(/\.$/, ''), algorithm, secret };
  return { kind: 'RFC2136', server, zone: rfc2136.zone ?? spec.domain, key };
}

function toTsigSecret(spec: DnsZoneSpec, keys: Keys): Uint8Array | Refusal {
  const text = textOf(keys, tsigSecretKey);
  if (text === '') {
    return sayInvalid(spec, `It needs tsig-secret, the base64 of the TSIG key. ${listed(keys)}`);
  }
  return (
    parseTsigSecret(text) ??
    sayInvalid(
      spec,
      `Its tsig-secret is not the base64 of ${tsigSecretBytesMin} bytes or more, as tsig-keygen ` +
        'prints it.',
    )
  );
}

/** The embedded zone opens nothing: its own thread takes the key of its transfers from the log. */
function checkTransferKey(spec: DnsZoneSpec, secret: KubeObject | undefined): Opening {
  if (spec.secretRef === undefined) return { kind: 'none' };
  if (secret === undefined) return sayMissing(spec);
  const found = toTsigSecret(spec, readKeys(secret));
  return 'reason' in found ? { kind: 'refused', ...found } : { kind: 'none' };
}

function textOf(keys: Keys, key: string): string {
  return keys.get(key)?.toString('utf8').trim() ?? '';
}

/** O1. */
function listed(keys: Keys): string {
  const names = [...keys.keys()].sort().slice(0, 10);
  return names.length === 0 ? 'It has no keys.' : `It has: ${names.join(', ')}.`;
}

const keysOf: Readonly<Record<DnsZoneSpec['provider'], readonly string[]>> = {
  Embedded: [tsigSecretKey],
  Route53: ['aws_access_key_id', 'aws_secret_access_key'],
  CloudDNS: ['credentials.json'],
  RFC2136: ['tsig-secret'],
};

function sayMissing({ provider, secretRef }: DnsZoneSpec): Opening {
  const { namespace = '', name = '' } = secretRef ?? {};
  const files = keysOf[provider].map((key) => `--from-file=${key}=FILE`).join(' ');
  return {
    kind: 'refused',
    reason: 'SecretMissing',
    message:
      `The Secret ${namespace}/${name} (spec.secretRef) is not there. Make it with: kubectl ` +
      `create secret generic ${name} --namespace ${namespace} ${files}`,
  };
}

function sayInvalid({ secretRef }: DnsZoneSpec, why: string): Refusal {
  const secret =
    secretRef === undefined ? '' : `The Secret ${secretRef.namespace}/${secretRef.name}`;
  return { reason: 'SecretInvalid', message: `${secret} (spec.secretRef) cannot be used. ${why}` };
}
