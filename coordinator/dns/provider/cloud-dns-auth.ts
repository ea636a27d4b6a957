// Access tokens for Cloud DNS, by Google's own library: a service account's signed JWT, or what the
// usual chain finds (environment, gcloud's file, workload identity, metadata server).
//
//   A1. Of credentials that were given, only a service account key is taken: other kinds name URLs,
//       files and programs to ask, and whoever can write a Secret should not choose these.
//   A2. No message holds a key or a token.

import type { AuthClient, JWT } from 'google-auth-library';
import { MeshError } from '../../../common/pure/errors.ts';
import { isSafeEndpoint } from './cloud-dns-exchange.ts';

const scope = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite';
// Asked by the library; our calls do not wait for it beyond their own deadline.
const tokenTimeoutMs = 15_000;
const googleTokenUrl = 'https://oauth2.googleapis.com/token';

export interface CloudDnsAuth {
  /** One client for all calls; it keeps its token until that is about to end. */
  client(): Promise<AuthClient>;
  /** A token was refused: the next call asks for another. */
  forget(): void;
}

/** Throws MeshError `DNS_DENIED` for credentials that cannot be used. No call is made yet. */
export function createCloudDnsAuth(
  credentials: Readonly<Record<string, unknown>> | undefined,
): CloudDnsAuth {
  if (credentials !== undefined) checkCredentials(credentials);
  let opening: Promise<AuthClient> | undefined;
  const open = async (): Promise<AuthClient> => {
    const library = await loadLibrary();
    const clientOptions = { transporterOptions: { timeout: tokenTimeoutMs } };
    if (credentials === undefined) {
      const auth = new library.GoogleAuth({ scopes: [scope], clientOptions });
      return auth.getClient();
    }
    const client = new library.JWT({ ...clientOptions, scopes: [scope] });
    client.fromJSON(credentials);
    askAt(client, credentials['token_uri']);
    return client;
  };
  return {
    client: () => {
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    forget: () => void (opening = undefined),
  };
}

/** Loaded with the first zone at Cloud DNS: nobody else pays for it. */
function loadLibrary() {
  return import('google-auth-library');
}

/** What the first call would load, in one turn of 200 ms and more: for a process that starts. */
export async function loadCloudDnsLibrary(): Promise<void> {
  await loadLibrary();
}

/** The library asks Google whatever the key says; other clients of Google ask where it says. */
function askAt(client: JWT, tokenUri: unknown): void {
  if (typeof tokenUri !== 'string' || tokenUri === googleTokenUrl) return;
  client.transporter.interceptors.request.add({
    resolved: (request) => {
      if (request.url.href === googleTokenUrl) request.url = new URL(tokenUri);
      return Promise.resolve(request);
    },
  });
}

function checkCredentials(credentials: Readonly<Record<string, unknown>>): void {
  const refuse = (what: string): never => {
    const wayOut =
      'Make a key with: gcloud iam service-accounts keys create credentials.json --iam-account=ACCOUNT';
    throw new MeshError('fatal', 'DNS_DENIED', `credentials.json ${what}. ${wayOut}`);
  };
  const { type } = credentials;
  if (type !== 'service_account') {
    const is =
      typeof type === 'string' ? `is of type ${JSON.stringify(type.slice(0, 40))}` : 'has no type';
    refuse(`${is}, and only "service_account" is taken from a Secret`);
  }
  for (const field of ['client_email', 'private_key']) {
    const value = credentials[field];
    if (typeof value !== 'string' || value === '') refuse(`has no ${field}`);
  }
  const { token_uri: tokenUri } = credentials;
  if (tokenUri === undefined) return;
  if (typeof tokenUri !== 'string' || !isSafeEndpoint(tokenUri))
    refuse('has a token_uri that is no https URL');
}
