// Reading certificates, with Node's own X.509 parser: whoever only checks or shows one does not
// load the library that makes them (./pki.ts; it costs 16 MiB).

import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { MeshError } from '../pure/errors.ts';
import { rememberLast } from '../pure/remember-last.ts';
import { parseTimestamp } from './clock.ts';

export interface KeyPairPem {
  readonly certPem: string;
  /** PKCS #8. */
  readonly keyPem: string;
}

export interface CertificateFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly uris: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Lower-case hex SHA-256 over the public key (SPKI). */
  readonly publicKeyHash: string;
}

/** What a certificate says, from PEM or DER. Throws MeshError fatal CERTIFICATE_INVALID. */
export function readCertificate(of: string | Uint8Array): CertificateFacts {
  try {
    return readFacts(new X509Certificate(of));
  } catch (error) {
    throw new MeshError('fatal', 'CERTIFICATE_INVALID', 'not a certificate', error);
  }
}

function readFacts(certificate: X509Certificate): CertificateFacts {
  const subject = certificate.subject.split('\n').map((line) => line.split(/=(.*)/s));
  const fields = (name: string): readonly string[] =>
    subject.flatMap(([key, value]) => (key === name && value !== undefined ? [value] : []));
  return {
    commonName: fields('CN')[0] ?? '',
    organizations: fields('O'),
    uris: readUris(certificate.subjectAltName),
    notBeforeMs: parseTimestamp(certificate.validFrom) ?? 0,
    notAfterMs: parseTimestamp(certificate.validTo) ?? 0,
    publicKeyHash: createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
  };
}

/** Ours hold no character that Node would quote; a quoted one is somebody else's and left out. */
function readUris(names: string | undefined): readonly string[] {
  return (names ?? '')
    .split(', ')
    .flatMap((name) => (name.startsWith('URI:') && !name.includes('"') ? [name.slice(4)] : []));
}

/** Lower-case hex SHA-256 over the certificate's DER: what a join token pins. */
export function certificateHash(certPem: string): string {
  return createHash('sha256').update(new X509Certificate(certPem).raw).digest('hex');
}

/** The certificates of a PEM file, in order, each with its line feed at the end. */
export function splitPem(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`);
}

/**
 * Tells one set of CAs from another, whatever their order: 32 hex digits. Throws MeshError fatal
 * CERTIFICATE_INVALID when there is none: to trust nobody is never what was meant.
 */
export function trustDigest(caPem: string): string {
  const hashes = splitPem(caPem).map(certificateHash).sort();
  if (hashes.length === 0) throw new MeshError('fatal', 'CERTIFICATE_INVALID', 'no certificate');
  return createHash('sha256').update(hashes.join()).digest('hex').slice(0, 32);
}

/** True when one of these CAs (PEM) signed `der`, and its dates include `nowMs`. */
export function isIssuedBy(options: {
  readonly der: Uint8Array;
  readonly caPem: string;
  readonly nowMs: number;
}): boolean {
  const { der, caPem, nowMs } = options;
  return new CertificateReader().read({ der, caPem, nowMs }) !== undefined;
}

/**
 * Reads certificates that one of some CAs has signed, and keeps what it has parsed of the CAs while
 * they are the same: a thousand clients that come at once show a thousand certificates of one CA.
 */
export class CertificateReader {
  readonly #casOf = rememberLast((pem) => splitPem(pem).map((one) => new X509Certificate(one)));

  /** What it says; undefined when none of the CAs (PEM) signed it, or its dates exclude `nowMs`. */
  read(of: {
    readonly der: Uint8Array;
    readonly caPem: string;
    readonly nowMs: number;
  }): CertificateFacts | undefined {
    try {
      const certificate = new X509Certificate(of.der);
      const isOurs = this.#casOf(of.caPem).some(
        (ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey),
      );
      const isInDate =
        (parseTimestamp(certificate.validFrom) ?? Infinity) <= of.nowMs &&
        of.nowMs < (parseTimestamp(certificate.validTo) ?? -Infinity);
      return isOurs && isInDate ? readFacts(certificate) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Lower-case hex SHA-256 over the public part (SPKI) of a private key in PEM. */
export function keyHash(keyPem: string): string {
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}
