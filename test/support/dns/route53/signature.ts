// Signature Version 4 of a request, computed anew and compared.

import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface Principal {
  readonly secretAccessKey: string;
  /** Temporary credentials: what has to come along. */
  readonly sessionToken?: string;
  isExpired?: boolean;
  isDenied?: boolean;
}

export type SignatureFault =
  | 'MissingAuthenticationToken'
  | 'InvalidClientTokenId'
  | 'SignatureDoesNotMatch'
  | 'ExpiredToken';

/** The principal, or the code of the refusal. */
export function checkSignature(
  request: SignedRequest,
  principals: ReadonlyMap<string, Principal>,
): Principal | SignatureFault {
  const header = single(request.headers['authorization']);
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (parts === null) return 'MissingAuthenticationToken';
  const [, key = '', date = '', region = '', service = '', signed = '', signature = ''] = parts;
  const principal = principals.get(key);
  if (principal === undefined) return 'InvalidClientTokenId';
  const token = single(request.headers['x-amz-security-token']);
  if (token !== (principal.sessionToken ?? '')) return 'InvalidClientTokenId';
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = [
    'AWS4-HMAC-SHA256',
    single(request.headers['x-amz-date']),
    scope,
    sha256(canonicalRequest(request, signed.split(';'))),
  ].join('\n');
  const signingKey = [date, region, service, 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${principal.secretAccessKey}`,
  );
  const expected = createHmac('sha256', signingKey).update(text).digest('hex');
  if (expected !== signature) return 'SignatureDoesNotMatch';
  return principal.isExpired === true ? 'ExpiredToken' : principal;
}

function canonicalRequest(
  { method, url, headers, body }: SignedRequest,
  signed: readonly string[],
): string {
  const { pathname, searchParams } = new URL(url, 'http://double');
  const query = [...searchParams]
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .sort()
    .join('&');
  // Services other than S3 escape the path once more.
  const path = pathname
    .split('/')
    .map((part) => escape(part))
    .join('/');
  const lines = signed.map(
    (name) => `${name}:${single(headers[name]).trim().replace(/ +/g, ' ')}\n`,
  );
  return [method, path, query, lines.join(''), signed.join(';'), sha256(body)].join('\n');
}

function escape(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function single(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
