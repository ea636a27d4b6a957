// Messages that are almost right: good ones of every form with bytes changed, put in, taken out,
// cut off, or the halves of two of them. A seed repeats a row.

import packet from 'dns-packet';
import { nginxAt, nginxGlobal } from '../dns-fixtures.ts';
import { ask } from './zone-messages.ts';

const names = [
  nginxGlobal,
  nginxAt('r1'),
  nginxAt('z', 'r2'),
  `_http._tcp.${nginxAt('z', 'r2')}`,
  'eu.nginx.example.com',
  'abroad.example.com',
  'example.com',
  'example.net',
  'sub.example.com',
  'ns1.example.com',
  'nothing.example.com',
  'example.org',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example.com`,
];
const types = ['A', 'AAAA', 'SRV', 'CNAME', 'NS', 'SOA', 'ANY', 'TXT', 'AXFR', 'IXFR', 'DS'];

const corpus: readonly Buffer[] = [
  ...names.flatMap((name) => types.map((type) => ask(name, type))),
  ...names.map((name) => ask(name, 'A', { edns: {} })),
  ...names.map((name) => ask(name, 'AAAA', { edns: { udpPayloadSize: 512, flags: 0x8000 } })),
  packet.encode({
    type: 'query',
    id: 1,
    questions: [{ type: 'IXFR' as packet.RecordType, name: 'example.net', class: 'IN' }],
    authorities: [
      {
        type: 'SOA',
        name: 'example.net',
        data: {
          mname: 'a.example.net',
          rname: 'b.example.net',
          serial: 1,
          refresh: 1,
          retry: 1,
          expire: 1,
          minimum: 1,
        },
      },
    ],
  }),
  packet.encode({ type: 'response', id: 1, flags: 4 << 11, questions: [] }),
];

export interface Dice {
  /** A whole number below `below`. */
  next(below: number): number;
}

/** Mulberry32. */
export function rollDice(seed: number): Dice {
  let state = seed >>> 0;
  return {
    next: (below) => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
    },
  };
}

export function mutateMessage(dice: Dice): Buffer {
  let bytes: Buffer = Buffer.from(pick(dice));
  for (let edits = dice.next(5); edits > 0; edits -= 1) bytes = edit(bytes, dice);
  return bytes;
}

function pick(dice: Dice): Buffer {
  return corpus[dice.next(corpus.length)] ?? Buffer.alloc(0);
}

function edit(bytes: Buffer, dice: Dice): Buffer {
  const at = dice.next(bytes.length + 1);
  switch (dice.next(7)) {
    case 0: {
      // One of the counts, or the flags.
      if (bytes.length < 12) return bytes;
      bytes.writeUInt16BE(dice.next(2) === 0 ? 0xffff : dice.next(4), 2 + 2 * dice.next(5));
      return bytes;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), pick(dice).subarray(dice.next(40))]);
    case 3: {
      const added = Buffer.from(Array.from({ length: 1 + dice.next(8) }, () => dice.next(256)));
      return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
    }
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.next(6))]);
    case 5:
      // A pointer, anywhere to.
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(0xc000 | dice.next(0x4000), at);
      return bytes;
    default:
      if (at < bytes.length) bytes[at] = dice.next(256);
      return bytes;
  }
}

/** Of some hundred networks of both families. */
export function anyAddress(dice: Dice): string {
  return dice.next(3) === 0
    ? `2001:db8:${dice.next(200).toString(16)}::${dice.next(9)}`
    : `192.0.${dice.next(100)}.${dice.next(250)}`;
}
