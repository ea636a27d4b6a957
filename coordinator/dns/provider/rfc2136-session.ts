// Signed questions and answers over one connection of the link. Output: messages whose signature
// was verified, or in plain words why there is none: what a wrong key, an unknown key or a wrong
// clock look like at BIND, Knot and PowerDNS (docs/dns.md).

import {
  encodeMessage,
  opcodes,
  recordClasses,
  responseCodeOf,
  type DnsMessage,
  type WireRecord,
} from '../../../common/pure/dns-message.ts';
import { toNameText } from '../../../common/pure/dns-text.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import { recordTypes, type WireName } from '../../../common/pure/dns-wire.ts';
import {
  createTsigVerifier,
  signMessage,
  tsigErrors,
  type TsigKey,
  type TsigVerdict,
  type TsigVerifier,
} from '../../../common/pure/tsig.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { UpdateRecords } from './plan-rfc2136.ts';
import { unavailable, type Deadline, type LinkConnection } from './rfc2136-link.ts';

export interface SessionOptions {
  readonly apex: WireName;
  readonly key: TsigKey;
  readonly clock: Clock;
  readonly chance: Chance;
  /** For messages: `host port 53`. */
  readonly server: string;
}

export type SignedAnswer =
  | { readonly kind: 'answer'; readonly message: DnsMessage }
  /**
   * The key, the clock or the server's rules: asking again changes nothing. `isOfKey`: Knot says
   * so (BADKEY) of a good key too, that may not do what this request asks for.
   */
  | { readonly kind: 'denied'; readonly message: string; readonly isOfKey?: true }
  /** Nothing that came can be believed. */
  | { readonly kind: 'untrusted'; readonly message: string };

/** A message of ours without its id, which is given when it is sent. */
export type Request = Omit<DnsMessage, 'id'>;

export function toQuery(name: WireName, type: number): Request {
  const question = { name, type, class: recordClasses.internet };
  return { flags: 0, questions: [question], answers: [], authorities: [], additionals: [] };
}

export function toUpdate(apex: WireName, records: UpdateRecords): Request {
  return {
    flags: opcodes.update << 11,
    questions: [{ name: apex, type: recordTypes.SOA, class: recordClasses.internet }],
    answers: records.prerequisites,
    authorities: records.updates as readonly WireRecord[],
    additionals: [],
  };
}

// Servers take questions off a connection as fast as they answer them; more only fills buffers.
const inFlightMax = 50;

/** Asks all, and answers in their order; the connection is good for more afterwards. */
export async function askAll(
  options: SessionOptions,
  connection: LinkConnection,
  requests: readonly Request[],
  deadline: Deadline,
): Promise<readonly SignedAnswer[]> {
  const answers: SignedAnswer[] = [];
  for (let from = 0; from < requests.length; from += inFlightMax) {
    const window = requests.slice(from, from + inFlightMax);
    const verifiers = new Map<
      number,
      { readonly index: number; readonly verifier: TsigVerifier }
    >();
    for (const [offset, request] of window.entries()) {
      const { id, verifier, bytes } = sign(options, request, new Set(verifiers.keys()));
      verifiers.set(id, { index: from + offset, verifier });
      connection.send(bytes);
    }
    while (verifiers.size > 0) {
      const bytes = await connection.next(deadline);
      const id = bytes.length < 2 ? -1 : Buffer.from(bytes).readUInt16BE(0);
      const asked = verifiers.get(id);
      if (asked === undefined) throw unavailable(`${options.server} answered what nobody asked`);
      verifiers.delete(id);
      answers[asked.index] = judge(options, asked.verifier.next(bytes, nowSeconds(options)));
    }
  }
  return answers;
}

/** Sends one request whose answer is a stream of messages. */
export function askStream(
  options: SessionOptions,
  connection: LinkConnection,
  request: Request,
): TsigVerifier {
  const { verifier, bytes } = sign(options, request, new Set());
  connection.send(bytes);
  return verifier;
}

export function nowSeconds({ clock }: SessionOptions): number {
  return Math.floor(clock.now() / 1000);
}

function sign(
  options: SessionOptions,
  request: Request,
  taken: ReadonlySet<number>,
): { readonly id: number; readonly verifier: TsigVerifier; readonly bytes: Uint8Array } {
  const { key, chance } = options;
  let id = Buffer.from(chance.bytes(2)).readUInt16BE(0);
  while (taken.has(id)) id = (id + 1) & 0xffff;
  const message = encodeMessage({ id, ...request });
  const { bytes, mac } = signMessage(message, { key, atSeconds: nowSeconds(options) });
  return { id, bytes, verifier: createTsigVerifier({ key, requestMac: mac }) };
}

/** What a verdict on a message of one answer means. */
export function judge(options: SessionOptions, verdict: TsigVerdict): SignedAnswer {
  const { server } = options;
  const keyName = toNameText(options.key.name);
  switch (verdict.kind) {
    case 'verified':
      return { kind: 'answer', message: verdict.message };
    case 'badTime':
      return { kind: 'denied', message: badTimeText(server, verdict.aheadSeconds) };
    case 'refused':
      return {
        kind: 'denied',
        message: refusedText(options, verdict.error),
        ...(verdict.error === tsigErrors.badKey ? { isOfKey: true } : {}),
      };
    case 'unsigned': {
      const code = responseCodeOf(verdict.message);
      const name = responseCodeText(code);
      if (code === 5 || code === 9) {
        return {
          kind: 'denied',
          message:
            `${server} answered ${name} without a signature, so its reason cannot be trusted: ` +
            `check that key ${keyName} has this name, algorithm and secret there, that it may ` +
            `update and transfer ${toNameText(options.apex)}, and that both clocks are right`,
        };
      }
      return { kind: 'untrusted', message: `${server} answered ${name} without a signature` };
    }
    default:
      return { kind: 'untrusted', message: `the answer of ${server}: ${verdict.reason}` };
  }
}

function badTimeText(server: string, aheadSeconds: number): string {
  const apart = Math.abs(Math.round(aheadSeconds));
  const how = aheadSeconds > 0 ? 'ahead of' : 'behind';
  return (
    `${server} refuses our signatures as too old or too new (BADTIME): the coordinator's clock ` +
    `is ${apart} s ${how} the server's; set both by NTP`
  );
}

function refusedText({ server, key, apex }: SessionOptions, error: number): string {
  const keyName = toNameText(key.name);
  switch (error) {
    case tsigErrors.badSignature:
      return (
        `${server} knows key ${keyName} but not our signature (BADSIG): the secret or the ` +
        `algorithm (${key.algorithm}) is another one there`
      );
    case tsigErrors.badKey:
      return (
        `${server} does not accept key ${keyName} (BADKEY): it is unknown there under this name ` +
        `and algorithm (${key.algorithm}), or may not do this in ${toNameText(apex)}`
      );
    case tsigErrors.badTime:
      return (
        `${server} refuses our signatures as too old or too new (BADTIME), and does not sign what ` +
        `its own time is: set both clocks by NTP`
      );
    case tsigErrors.badTruncation:
      return (
        `${server} demands a longer signature of key ${keyName} than ${key.algorithm} has ` +
        `(BADTRUNC): let it take whole signatures of this algorithm`
      );
    default:
      return `${server} refuses the signature of key ${keyName} (TSIG error ${error})`;
  }
}

const responseCodeTexts = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

export function responseCodeText(code: number): string {
  return responseCodeTexts[code] ?? `RCODE ${code}`;
}

/** The error of a reading call. */
export function toReadError(answer: Exclude<SignedAnswer, { kind: 'answer' }>): MeshError {
  return answer.kind === 'denied'
    ? new MeshError('fatal', 'DNS_DENIED', answer.message)
    : unavailable(answer.message);
}
