// The whole zone by AXFR (RFC 5936), as pages. A transfer is one stream; it is held open between
// two calls of `list` and read no faster than pages are asked for, so that memory is bounded
// whatever the zone's size.
//
//   - Records are told only when a signature covers them (RFC 8945 5.3.1).
//   - Servers send the records of one set one after another, and so a page ends between two sets.
//   - A stream that was given up, or lost, cannot be gone on with: DNS_UNAVAILABLE, begin anew.

import { responseCodeOf, type WireRecord } from '../../../common/pure/dns-message.ts';
import { recordTypes } from '../../../common/pure/dns-wire.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type { TsigVerifier } from '../../../common/pure/tsig.ts';
import type { Timer } from '../../../common/runtime/clock.ts';
import { foldRecordSets } from './plan-rfc2136.ts';
import type { RecordPage } from './provider.ts';
import {
  unavailable,
  type Deadline,
  type LinkConnection,
  type Rfc2136Link,
} from './rfc2136-link.ts';
import {
  askStream,
  judge,
  nowSeconds,
  responseCodeText,
  toQuery,
  toReadError,
  type SessionOptions,
} from './rfc2136-session.ts';

const pageSets = 500;
// What is in memory while no page is full: servers keep sets far smaller.
const pageRecordsMax = 100_000;
// Between two pages; servers give up on a client that does not read after 30 s and more.
const heldMs = 20_000;
// Each is a connection, and up to 100 messages that wait for a signature.
const heldMax = 2;

export interface Transfers {
  page(deadline: Deadline, after: string | undefined): Promise<RecordPage>;
  close(): void;
}

export function createTransfers(options: {
  readonly session: SessionOptions;
  readonly link: Rfc2136Link;
}): Transfers {
  const { session, link } = options;
  const held = new Map<string, Held>();
  let count = 0;

  const drop = (token: string): Held | undefined => {
    const one = held.get(token);
    one?.timer.cancel();
    held.delete(token);
    return one;
  };
  const hold = (transfer: Transfer): string => {
    // The oldest makes room: its reader is the likeliest to have gone.
    const [oldest] = held.keys();
    if (oldest !== undefined && held.size >= heldMax) drop(oldest)?.transfer.end();
    count += 1;
    const token = `${session.chance.uuid()}/${count}`;
    const timer = session.clock.after(heldMs, () => drop(token)?.transfer.end());
    held.set(token, { transfer, timer });
    return token;
  };

  return {
    page: async (deadline, after) => {
      const transfer =
        after === undefined
          ? await Transfer.begin(session, await link.open(deadline))
          : drop(after)?.transfer;
      if (transfer === undefined)
        throw unavailable('this list was given up or is an old one: begin anew');
      try {
        const sets = await transfer.take(deadline);
        return transfer.isDone ? { sets } : { sets, next: hold(transfer) };
      } catch (error) {
        transfer.end();
        throw error;
      }
    },
    close: () => {
      for (const token of held.keys()) drop(token)?.transfer.end();
    },
  };
}

interface Held {
  readonly transfer: Transfer;
  readonly timer: Timer;
}

class Transfer {
  readonly #session: SessionOptions;
  readonly #connection: LinkConnection;
  readonly #verifier: TsigVerifier;
  /** Not yet covered by a signature. */
  #doubtful: WireRecord[] = [];
  #records: WireRecord[] = [];
  #isFirst = true;
  #isComplete = false;

  private constructor(session: SessionOptions, connection: LinkConnection, verifier: TsigVerifier) {
    this.#session = session;
    this.#connection = connection;
    this.#verifier = verifier;
  }

  static begin(session: SessionOptions, connection: LinkConnection): Transfer {
    const request = toQuery(session.apex, recordTypes.AXFR);
    return new Transfer(session, connection, askStream(session, connection, request));
  }

  /** Everything was taken. */
  get isDone(): boolean {
    return this.#isComplete && this.#records.length === 0;
  }

  end(): void {
    this.#connection.destroy();
  }

  /** The next page of whole sets. */
  async take(deadline: Deadline): Promise<RecordPage['sets']> {
    for (;;) {
      const cut = this.#isComplete ? endOfPage(this.#records) : wholePage(this.#records);
      if (cut !== undefined) {
        const page = this.#records.slice(0, cut);
        this.#records = this.#records.slice(cut);
        return foldRecordSets(page);
      }
      if (this.#records.length > pageRecordsMax)
        throw unavailable(`${this.#session.server} has sets of too many records in this zone`);
      await this.#more(deadline);
    }
  }

  async #more(deadline: Deadline): Promise<void> {
    const session = this.#session;
    const bytes = await this.#connection.next(deadline);
    const verdict = this.#verifier.next(bytes, nowSeconds(session));
    const isUnsigned = verdict.kind === 'unsigned' && responseCodeOf(verdict.message) === 0;
    const answer = isUnsigned ? undefined : judge(session, verdict);
    if (answer !== undefined && answer.kind !== 'answer') throw toReadError(answer);
    const message = answer?.message ?? (verdict.kind === 'unsigned' ? verdict.message : undefined);
    if (message === undefined) return;
    const code = responseCodeOf(message);
    if (code !== 0) throw refusedTransfer(session, code);
    this.#doubtful.push(...message.answers);
    if (answer !== undefined) this.#believe();
  }

  #believe(): void {
    const records = this.#doubtful;
    this.#doubtful = [];
    if (records.length === 0) return;
    if (this.#isFirst && records[0]?.type !== recordTypes.SOA)
      throw unavailable(`${this.#session.server} began a transfer without an SOA record`);
    const closing = records.findIndex(
      (record, index) => record.type === recordTypes.SOA && !(this.#isFirst && index === 0),
    );
    this.#isFirst = false;
    if (closing < 0) {
      this.#records.push(...records);
      return;
    }
    this.#records.push(...records.slice(0, closing));
    this.#isComplete = true;
    if (closing === records.length - 1) this.#connection.release();
    else this.#connection.destroy();
  }
}

/** Where a page of whole sets ends, when the next set has begun. */
function wholePage(records: readonly WireRecord[]): number | undefined {
  return endOfSets(records, false);
}

function endOfPage(records: readonly WireRecord[]): number {
  return endOfSets(records, true) ?? records.length;
}

function endOfSets(records: readonly WireRecord[], isLast: boolean): number | undefined {
  let sets = 0;
  for (const [index, record] of records.entries()) {
    const before = records[index - 1];
    if (before?.name === record.name && before.type === record.type) continue;
    sets += 1;
    if (sets > pageSets) return index;
  }
  return isLast ? records.length : undefined;
}

function refusedTransfer({ server }: SessionOptions, code: number): MeshError {
  const message =
    `${server} answers ${responseCodeText(code)} to a transfer of the zone: let the key transfer ` +
    `it (BIND allow-transfer, Knot acl action transfer, PowerDNS TSIG-ALLOW-AXFR)`;
  if (code === 5 || code === 9) return new MeshError('fatal', 'DNS_DENIED', message);
  return unavailable(`${server} answers ${responseCodeText(code)} to a transfer of the zone`);
}
