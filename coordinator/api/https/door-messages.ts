// What the main thread and the door's thread say to each other. Tuples: of these each request takes
// half a dozen, and the names of fields would be most of what is copied.

import type { Labels } from '../../../common/runtime/metrics.ts';
import type { HandshakeBounds } from '../../../common/runtime/handshake-gate.ts';

export interface TlsFiles {
  readonly certPem: string;
  readonly keyPem: string;
  /** Issuers of client certificates. */
  readonly clientCaPem: string;
}

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Without a byte for so long, an HTTP/2 session is pinged. */
  readonly pingAfterMs: number;
  /** Without an open stream for so long, it is closed: Go's server waits 90 s. */
  readonly idleMs: number;
}

export interface DoorSettings {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsFiles;
  readonly limits: ConnectionLimits;
}

/** People and their tools wait behind each other here: who is slow for a second is let go. */
export const handshakeBounds: HandshakeBounds = {
  perTurn: 2,
  atOnce: 16,
  patienceMs: 1_000,
  ownPatienceMs: 5_000,
};

/** Requests that the main thread has not taken up; the others wait at the door. */
export const requestsAheadMax = 64;
/** Bytes of a body that come without being asked for: nearly all bodies are shorter. */
export const bodyAheadBytes = 64 << 10;

/** As Node's streams: with more of an answer held, who writes waits until it is sent. */
export const heldBytesMax = 16 << 10;

/** Of the certificate that a client showed. */
export interface PeerCertificate {
  readonly subject: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly raw: Uint8Array;
  /** Lower-case hex SHA-256 over the DER. */
  readonly fingerprint: string;
  /** Whether the issuers that were trusted at its handshake vouch for it. */
  readonly isAuthorized: boolean;
}

/** A connection: an HTTP/2 session, or a socket of HTTP/1.1. */
export interface Carrier {
  readonly remoteAddress: string | undefined;
  readonly peer: PeerCertificate | undefined;
  /** How often the trusted issuers had been told when its certificate was verified, at least. */
  readonly trust: number;
}

/** Of a request that the door has open: no two open ones have the same, and none comes again. */
export type ExchangeId = number;

export type Report =
  | readonly [kind: 'listening', port: number]
  /** The door does not open; the code is the system's. */
  | readonly [kind: 'failed', message: string, code: string | undefined]
  | readonly [kind: 'tlsSet']
  | readonly [kind: 'pong']
  /** Everything is closed. */
  | readonly [kind: 'ended']
  | readonly [kind: 'opened']
  | readonly [kind: 'left']
  | readonly [kind: 'fault', fault: string, error: string | undefined]
  | readonly [kind: 'observed', observations: readonly Observation[]]
  | readonly [kind: 'carrier', carrier: number, facts: Carrier]
  | readonly [kind: 'carrierGone', carrier: number]
  | readonly [
      kind: 'request',
      id: ExchangeId,
      carrier: number,
      version: 1 | 2,
      hasBody: boolean,
      method: string,
      target: string,
      /** Names in lower case, repeated ones joined by a comma; header-text.ts. */
      headers: string,
      /** Each line as it came; only where somebody is impersonated. */
      rawHeaders: readonly string[] | undefined,
    ]
  | readonly [kind: 'body', id: ExchangeId]
  | readonly [kind: 'bodyEnd', id: ExchangeId]
  /** So many bytes of the answer are on their way to the client. */
  | readonly [kind: 'sent', id: ExchangeId, bytes: number]
  | readonly [kind: 'closed', id: ExchangeId];

export type Observation = readonly [
  kind: 'observe' | 'gauge',
  name: string,
  value: number,
  labels: Labels | undefined,
  buckets: readonly number[] | undefined,
];

export type RequestReport = Extract<Report, readonly ['request', ...unknown[]]>;

export type Order =
  | readonly [kind: 'tls', tls: TlsFiles]
  /** No new connections; those that stand may end what runs. */
  | readonly [kind: 'drain']
  | readonly [kind: 'destroy']
  /** Whether it still answers. */
  | readonly [kind: 'ping']
  /** So many requests were taken up, and as many may come. */
  | readonly [kind: 'taken', count: number]
  /** So many bytes of the body were taken, and as many may come. */
  | readonly [kind: 'read', id: ExchangeId, bytes: number]
  | readonly [
      kind: 'head',
      id: ExchangeId,
      status: number,
      /** header-text.ts. */
      headers: string,
      isWhole: boolean,
    ]
  | readonly [kind: 'flushHead', id: ExchangeId]
  | readonly [kind: 'write', id: ExchangeId]
  /** With the last bytes, where there are some. */
  | readonly [kind: 'end', id: ExchangeId]
  | readonly [kind: 'endWhenSent', id: ExchangeId]
  | readonly [kind: 'abandon', id: ExchangeId];
