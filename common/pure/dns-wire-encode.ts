// Records as bytes, with name compression (RFC 1035 4.1.4), in the form of a *tail*: everything
// that follows the question. A tail is encoded once for a name and answered many times; it may
// point into the question, which always begins at offset 12. Input: the question's name and the
// records. Output: the tail's bytes, and where each record ends, for truncation.

import ipaddr from 'ipaddr.js';
import { classInternet, headerBytes, recordTypes, type WireName } from './dns-wire.ts';
import { assertNever, invariant } from './errors.ts';

export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME' | 'NS'; readonly target: WireName }
  | { readonly type: 'TXT'; readonly texts: readonly string[] }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: WireName;
    }
  | ({ readonly type: 'SOA' } & StartOfAuthority);

export interface StartOfAuthority {
  readonly primary: WireName;
  readonly mailbox: WireName;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** Also the lifetime of negative answers (RFC 2308 4). */
  readonly minimumSeconds: number;
}

export interface ResourceRecord {
  readonly name: WireName;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}

/** What follows the question in a reply, without OPT. */
export interface Tail {
  readonly bytes: Uint8Array;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /** End of each record within `bytes`, in order. */
  readonly ends: readonly number[];
}

export const emptyTail: Tail = {
  bytes: new Uint8Array(0),
  answers: 0,
  authorities: 0,
  additionals: 0,
  ends: [],
};

/** Encodes the records of an answer to a question for `question`. */
export function encodeTail(
  question: WireName,
  sections: {
    readonly answers?: readonly ResourceRecord[];
    readonly authorities?: readonly ResourceRecord[];
    readonly additionals?: readonly ResourceRecord[];
  },
): Tail {
  const { answers = [], authorities = [], additionals = [] } = sections;
  const writer = new TailWriter(question);
  for (const record of answers) writer.add(record);
  for (const record of authorities) writer.add(record);
  for (const record of additionals) writer.add(record);
  return {
    ...writer.take(),
    answers: answers.length,
    authorities: authorities.length,
    additionals: additionals.length,
  };
}

/** A tail that grows record by record, all of them answers. */
export class TailWriter {
  readonly #writer: Writer;
  readonly #ends: number[] = [];

  /** Without a question the tail follows the header, as in all but a transfer's first message. */
  constructor(question?: WireName) {
    this.#writer = new Writer(headerBytes + (question === undefined ? 0 : question.length + 4));
    if (question !== undefined) this.#writer.know(question, headerBytes);
  }

  get length(): number {
    return this.#writer.length;
  }

  add(record: ResourceRecord): void {
    writeRecord(this.#writer, record);
    this.#ends.push(this.#writer.length);
  }

  take(): Tail {
    const bytes = this.#writer.take();
    const ends = this.#ends;
    return { bytes, answers: ends.length, authorities: 0, additionals: 0, ends };
  }
}

// A pointer has 14 bits; what stands behind cannot be pointed to.
const pointerOffsetMax = 0x3fff;

class Writer {
  readonly #start: number;
  readonly #offsets = new Map<string, number>();
  #bytes = new Uint8Array(512);
  #length = 0;

  /** `start`: offset in the message at which the written bytes will stand. */
  constructor(start: number) {
    this.#start = start;
  }

  get length(): number {
    return this.#length;
  }

  /** Makes `name` and its parents, standing at `offset`, targets for pointers. */
  know(name: string, offset: number): void {
    for (let at = 0; at < name.length - 1; at += 1 + name.charCodeAt(at)) {
      const suffix = name.slice(at);
      if (offset + at > pointerOffsetMax || this.#offsets.has(suffix)) return;
      this.#offsets.set(suffix, offset + at);
    }
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value & 0xff;
  }

  u16(value: number): void {
    this.u8(value >> 8);
    this.u8(value);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  text(latin1: string): void {
    this.#room(latin1.length);
    for (let at = 0; at < latin1.length; at += 1)
      this.#bytes[this.#length++] = latin1.charCodeAt(at);
  }

  name(name: WireName, isCompressed: boolean): void {
    for (let at = 0; at < name.length - 1; at += 1 + name.charCodeAt(at)) {
      const known = isCompressed ? this.#offsets.get(name.slice(at)) : undefined;
      if (known !== undefined) {
        this.u16(0xc000 | known);
        return;
      }
      const label = name.slice(at, at + 1 + name.charCodeAt(at));
      const offset = this.#start + this.#length;
      if (offset <= pointerOffsetMax) this.#offsets.set(name.slice(at), offset);
      this.text(label);
    }
    this.u8(0);
  }

  bytes(bytes: readonly number[]): void {
    for (const byte of bytes) this.u8(byte);
  }

  patchU16(at: number, value: number): void {
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value & 0xff;
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

function writeRecord(writer: Writer, record: ResourceRecord): void {
  writer.name(record.name, true);
  writer.u16(recordTypes[record.data.type]);
  writer.u16(classInternet);
  writer.u32(record.ttlSeconds);
  const lengthAt = writer.length;
  writer.u16(0);
  writeData(writer, record.data);
  writer.patchU16(lengthAt, writer.length - lengthAt - 2);
}

function writeData(writer: Writer, data: RecordData): void {
  switch (data.type) {
    case 'A':
    case 'AAAA': {
      const bytes = ipaddr.parse(data.address).toByteArray();
      invariant(
        bytes.length === (data.type === 'A' ? 4 : 16),
        `${data.address} in an ${data.type} record`,
      );
      return writer.bytes(bytes);
    }
    case 'CNAME':
    case 'NS':
      return writer.name(data.target, true);
    case 'TXT':
      for (const text of data.texts) {
        const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
        writer.u8(bytes.length);
        writer.bytes([...bytes]);
      }
      return undefined;
    case 'SRV':
      writer.u16(data.priority);
      writer.u16(data.weight);
      writer.u16(data.port);
      return writer.name(data.target, false); // RFC 2782: no compression
    case 'SOA':
      writer.name(data.primary, true);
      writer.name(data.mailbox, true);
      writer.u32(data.serial);
      writer.u32(data.refreshSeconds);
      writer.u32(data.retrySeconds);
      writer.u32(data.expireSeconds);
      return writer.u32(data.minimumSeconds);
    default:
      return assertNever(data);
  }
}
