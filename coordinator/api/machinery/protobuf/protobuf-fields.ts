// One protobuf message as the fields that stand in it, without knowing what they mean.
//
// Input: bytes and the numbers that are wanted. Output: per number the values found, in order.
//
//   P1. Nothing is read beyond the message and nothing is copied: work and memory are bounded by
//       the bytes given.
//   P2. Whatever is no message throws ProtobufError with the words of Go's generated decoders.

/** Bytes that are no message of the expected type. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

export type WireValue =
  /** Two halves of 32 bits, unsigned: JavaScript's numbers do not hold 64. */
  | { readonly kind: 'varint'; readonly low: number; readonly high: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'fixed64'; readonly bytes: Uint8Array }
  | { readonly kind: 'fixed32'; readonly bytes: Uint8Array };

export type WireFields = ReadonlyMap<number, readonly WireValue[]>;

/**
 * The values of the wanted fields; fields of other numbers are skipped, as Go does. `name` is the
 * struct's in Go, for errors.
 */
export function splitMessage(
  name: string,
  bytes: Uint8Array,
  wanted: { has(number: number): boolean },
): WireFields {
  if (bytes.length === 0) return noFields;
  const fields = new Map<number, WireValue[]>();
  const reader = new Reader(bytes);
  while (!reader.isAtEnd()) {
    const { number, wireType } = reader.tag(name);
    if (!wanted.has(number)) {
      reader.skip(wireType);
      continue;
    }
    const value = reader.value(wireType);
    const before = fields.get(number);
    if (before === undefined) fields.set(number, [value]);
    else before.push(value);
  }
  return fields;
}

const noFields: WireFields = new Map();

// protobuf's encoding spec: 0 varint, 1 fixed64, 2 length-delimited, 3 and 4 group, 5 fixed32.
const startGroup = 3;
const endGroup = 4;

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  tag(name: string): { readonly number: number; readonly wireType: number } {
    const { low, high } = this.#varint();
    const number = (low >>> 3) | (high << 29);
    const wireType = low & 7;
    if (wireType === endGroup) {
      throw new ProtobufError(`proto: ${name}: wiretype end group for non-group`);
    }
    if (number <= 0) {
      throw new ProtobufError(`proto: ${name}: illegal tag ${number} (wire type ${wireType})`);
    }
    return { number, wireType };
  }

  value(wireType: number): WireValue {
    switch (wireType) {
      case 0:
        return this.#varint();
      case 1:
        return { kind: 'fixed64', bytes: this.#take(8) };
      case 2:
        return { kind: 'bytes', bytes: this.#take(this.#length()) };
      case 5:
        return { kind: 'fixed32', bytes: this.#take(4) };
      default:
        throw new ProtobufError(`proto: illegal wireType ${wireType}`);
    }
  }

  /** Groups nest without bound, so they are counted rather than descended into. */
  skip(first: number): void {
    let wireType = first;
    let depth = 0;
    for (;;) {
      if (wireType === startGroup) depth += 1;
      else if (wireType === endGroup) depth -= 1;
      else this.value(wireType);
      if (depth === 0) return;
      wireType = this.#varint().low & 7;
    }
  }

  #varint(): Extract<WireValue, { readonly kind: 'varint' }> {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw unexpectedEnd();
      this.#at += 1;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 32) high |= bits << (shift - 32);
      else if (shift === 28) high = bits >>> 4; // the one group of bits that lies in both halves
      if (byte < 0x80) return { kind: 'varint', low: low >>> 0, high: high >>> 0 };
    }
    throw new ProtobufError('proto: integer overflow');
  }

  #length(): number {
    const { low, high } = this.#varint();
    if (high >= 2 ** 31) {
      throw new ProtobufError('proto: negative length found during unmarshaling');
    }
    return high * 2 ** 32 + low;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw unexpectedEnd();
    const start = this.#at;
    if (length === 0) return noBytes;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }
}

const noBytes = new Uint8Array();

function unexpectedEnd(): ProtobufError {
  return new ProtobufError('unexpected EOF');
}
