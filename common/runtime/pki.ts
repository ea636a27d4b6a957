// X.509 for the federation's own CA: certificates of servers, admins and agents. One level, EC
// P-256, times from the Clock. Adapter of @peculiar/x509.
//
// Certificates are backdated an hour, because clusters' clocks are not ours.

import 'reflect-metadata';
import { createHash, createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { toDate, type Clock } from './clock.ts';
import { MeshError } from '../pure/errors.ts';
import type { KeyPairPem } from './certificates.ts';

interface Lifetime {
  readonly validDays: number;
  readonly clock: Clock;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
const backdateMs = 3_600_000;
const clientAuth = '1.3.6.1.5.5.7.3.2';
const serverAuth = '1.3.6.1.5.5.7.3.1';

x509.cryptoProvider.set(webcrypto);

/** A self-signed CA. */
export async function createCa(
  options: Lifetime & { readonly commonName: string },
): Promise<KeyPairPem> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: toName(options.commonName, []),
    ...toValidity(options),
    signingAlgorithm: signing,
    keys,
    extensions: await toCaExtensions(keys.publicKey),
  });
  return { certPem: toPemText(certificate), keyPem: await exportKey(keys.privateKey) };
}

/**
 * The key of `next` certified by `ca` (RFC 4210 4.4, "new with old"): who trusts `ca` alone finds a
 * chain to it from what `next` signs. Both CAs have one name, so that the link is issued by itself
 * and no path length counts it (RFC 5280 4.2.1.9).
 */
export async function linkCa(
  options: Lifetime & { readonly ca: KeyPairPem; readonly next: KeyPairPem },
): Promise<string> {
  const issuer = new x509.X509Certificate(options.ca.certPem);
  const next = new x509.X509Certificate(options.next.certPem);
  const publicKey = await next.publicKey.export();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: next.subject,
    issuer: issuer.subject,
    ...toValidity(options),
    signingAlgorithm: signing,
    publicKey,
    signingKey: (await importKeys(options.ca.keyPem)).privateKey,
    extensions: [
      ...(await toCaExtensions(publicKey)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return toPemText(certificate);
}

// Room for links below, for those who count them all the same (Go's crypto/x509).
const pathLength = 3;

async function toCaExtensions(publicKey: webcrypto.CryptoKey): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

/** A TLS server's certificate with its own new key. */
export async function issueServerCertificate(
  options: Lifetime & {
    readonly ca: KeyPairPem;
    readonly commonName: string;
    readonly dnsNames: readonly string[];
    readonly ipAddresses: readonly string[];
  },
): Promise<KeyPairPem> {
  const keys = await generateKeys();
  const names: x509.JsonGeneralNames = [
    ...options.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...options.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certPem = await sign({
    ...options,
    publicKey: keys.publicKey,
    organizations: [],
    // nats-server dials its own routes with it too, so it may also be a client.
    usages: [serverAuth, clientAuth],
    names,
  });
  return { certPem, keyPem: await exportKey(keys.privateKey) };
}

/** A client's certificate with its own new key: CN is the user, each O a group. */
export async function issueClientCertificate(
  options: Lifetime & {
    readonly ca: KeyPairPem;
    readonly commonName: string;
    readonly organizations: readonly string[];
    readonly uris?: readonly string[];
  },
): Promise<KeyPairPem> {
  const keys = await generateKeys();
  const certPem = await sign({
    ...options,
    publicKey: keys.publicKey,
    usages: [clientAuth],
    names: (options.uris ?? []).map((value) => ({ type: 'url' as const, value })),
  });
  return { certPem, keyPem: await exportKey(keys.privateKey) };
}

/** A new key and a PKCS #10 request (RFC 2986) for it, in DER. */
export async function createCsr(options: {
  readonly commonName: string;
}): Promise<{ readonly csrDer: Uint8Array; readonly keyPem: string }> {
  const keys = await generateKeys();
  return {
    csrDer: await requestFor(keys, options.commonName),
    keyPem: await exportKey(keys.privateKey),
  };
}

/** A request for a key that exists already, for renewal. */
export async function createCsrForKey(options: {
  readonly commonName: string;
  readonly keyPem: string;
}): Promise<Uint8Array> {
  return requestFor(await importKeys(options.keyPem), options.commonName);
}

/**
 * Signs a request that proves possession of its key; the subject comes from us, not from it.
 * Throws MeshError fatal CSR_INVALID.
 */
export async function signCsr(
  options: Lifetime & {
    readonly ca: KeyPairPem;
    readonly csrDer: Uint8Array;
    readonly commonName: string;
    readonly organizations: readonly string[];
    readonly uris: readonly string[];
  },
): Promise<string> {
  const request = await verifyCsr(options.csrDer);
  return sign({
    ...options,
    publicKey: await request.publicKey.export(),
    usages: [clientAuth],
    names: options.uris.map((value) => ({ type: 'url' as const, value })),
  });
}

/** Throws MeshError fatal CSR_INVALID unless the request was signed with the key that it names. */
export async function verifyCsr(csrDer: Uint8Array): Promise<x509.Pkcs10CertificateRequest> {
  const request = readCsr(csrDer);
  if (await request.verify().catch(() => false)) return request;
  throw new MeshError(
    'fatal',
    'CSR_INVALID',
    'the certificate request is not signed by its own key',
  );
}

/** Lower-case hex SHA-256 over the public key (SPKI) of a request in DER. Throws CSR_INVALID. */
export function requestKeyHash(csrDer: Uint8Array): string {
  return createHash('sha256')
    .update(Buffer.from(readCsr(csrDer).publicKey.rawData))
    .digest('hex');
}

interface SignOptions extends Lifetime {
  readonly ca: KeyPairPem;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly publicKey: webcrypto.CryptoKey;
  readonly usages: readonly string[];
  readonly names: x509.JsonGeneralNames;
}

async function sign(options: SignOptions): Promise<string> {
  const issuer = new x509.X509Certificate(options.ca.certPem);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: toName(options.commonName, options.organizations),
    issuer: issuer.subject,
    ...toValidity(options),
    signingAlgorithm: signing,
    publicKey: options.publicKey,
    signingKey: (await importKeys(options.ca.keyPem)).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([...options.usages], false),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(options.names.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(options.names, false)]),
    ],
  });
  return toPemText(certificate);
}

function toPemText(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

function toName(commonName: string, organizations: readonly string[]): string {
  const organizationParts = organizations.map((organization) => `O=${escapeName(organization)}`);
  return [...organizationParts, `CN=${escapeName(commonName)}`].join(', ');
}

/** RFC 4514 escapes. */
function escapeName(text: string): string {
  return text.replace(/[",+;<>\\#=]/g, (character) => `\\${character}`);
}

function toValidity({ clock, validDays }: Lifetime): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: toDate(clock.now() - backdateMs),
    notAfter: toDate(clock.now() + validDays * dayMs),
  };
}

function readCsr(csrDer: Uint8Array): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(new Uint8Array(csrDer));
  } catch (error) {
    throw new MeshError('fatal', 'CSR_INVALID', 'not a PKCS #10 certificate request', error);
  }
}

async function requestFor(keys: webcrypto.CryptoKeyPair, commonName: string): Promise<Uint8Array> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: toName(commonName, []),
    keys,
    signingAlgorithm: signing,
  });
  return new Uint8Array(request.rawData);
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: 'pkcs8',
  }) as string;
}

async function importKeys(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(keyPem);
  const jwk = key.export({ format: 'jwk' }) as webcrypto.JsonWebKey;
  const { d: _private, ...publicJwk } = jwk;
  return {
    privateKey: await webcrypto.subtle.importKey('jwk', jwk, algorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('jwk', publicJwk, algorithm, true, ['verify']),
  };
}
