import test from 'ava';
import { decodeMessage, encodeMessage, recordClasses } from '../../common/pure/dns-message.ts';
import { parseNameText, toRecordData } from '../../common/pure/dns-text.ts';
import type { WireName } from '../../common/pure/dns-wire.ts';
import {
  createTsigVerifier,
  signMessage,
  tsigErrors,
  tsigLength,
  unsignedMessagesMax,
  verifyRequest,
  type TsigAlgorithm,
  type TsigKey,
} from '../../common/pure/tsig.ts';

const at = 1_764_000_000;
const plain = Buffer.from(
  '12340000000100000000000003777777076578616d706c6503636f6d0000060001',
  'hex',
);

// Made by dnspython 2.3.0 with this key, at this time: a question, and its answer.
const vectors: readonly {
  readonly algorithm: TsigAlgorithm;
  readonly signed: string;
  readonly reply: string;
}[] = [
  {
    algorithm: 'hmac-sha256',
    signed:
      '12340000000100000000000103777777076578616d706c6503636f6d0000060001064665644b6579' +
      '074578616d706c650000fa00ff00000000003d0b686d61632d73686132353600000069248100012c' +
      '0020d3d88dfb59c490405ede5cdb815b8f111cdb11cd16a6e6261c89b408538ae3cb123400000000',
    reply:
      '12348000000100010000000103777777076578616d706c6503636f6d0000060001c00c0001000100' +
      '00012c0004c0000201064665644b6579074578616d706c650000fa00ff00000000003d0b686d6163' +
      '2d73686132353600000069248100012c0020bd56f4b2847484a2df578a77e3a8e0946fda66e7db3b' +
      '18d7fda0ed7e97cbe44b123400000000',
  },
  {
    algorithm: 'hmac-sha384',
    signed:
      '12340000000100000000000103777777076578616d706c6503636f6d0000060001064665644b6579' +
      '074578616d706c650000fa00ff00000000004d0b686d61632d73686133383400000069248100012c' +
      '00301a1820e86d436edfebe4f63ec9b4d1e981ca0444d09fc8353c010106ad0ef059f8609b6006e6' +
      '74a3a20bb3a37c4ae313123400000000',
    reply:
      '12348000000100010000000103777777076578616d706c6503636f6d0000060001c00c0001000100' +
      '00012c0004c0000201064665644b6579074578616d706c650000fa00ff00000000004d0b686d6163' +
      '2d73686133383400000069248100012c00303d31e41ac9ed958c43654a31d5f8d04911a8f15624ab' +
      'af2b25267d23eacf18563b55699b2a204aa49ac83804ac4bb441123400000000',
  },
  {
    algorithm: 'hmac-sha512',
    signed:
      '12340000000100000000000103777777076578616d706c6503636f6d0000060001064665644b6579' +
      '074578616d706c650000fa00ff00000000005d0b686d61632d73686135313200000069248100012c' +
      '0040e6715ea1623b4ec2f6ff70929563067d3438b92e614099a71f314156f95cd1dbe44bae7cb3a0' +
      'fc199697fa779cf25fbe5262ce5d6122856a7e2a41f2cd9981e2123400000000',
    reply:
      '12348000000100010000000103777777076578616d706c6503636f6d0000060001c00c0001000100' +
      '00012c0004c0000201064665644b6579074578616d706c650000fa00ff00000000005d0b686d6163' +
      '2d73686135313200000069248100012c0040ceff4e41584f5de10edf087846e37d1cf9507b34d5c3' +
      'c51d3ff6e48133b8807081ae6850ff383e3e76767fb3c8857e145a759dd316623e590111429d6e98' +
      '3692123400000000',
  },
];

function keyOf(algorithm: TsigAlgorithm = 'hmac-sha256'): TsigKey {
  const secret = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
  return { name: name('FedKey.Example'), algorithm, secret };
}

function name(text: string): WireName {
  const wire = parseNameText(text);
  if (wire === undefined) throw new Error(`not a name: ${text}`);
  return wire;
}

for (const { algorithm, signed, reply } of vectors) {
  test(`${algorithm}: we sign as another implementation does`, (t) => {
    const ours = signMessage(plain, { key: keyOf(algorithm), atSeconds: at });
    t.is(
      Buffer.from(ours.bytes).toString('hex'),
      signed.replace('4665644b65790745', '6665646b65790765'),
    );
    t.is(ours.bytes.length, plain.length + tsigLength(keyOf(algorithm)));
  });

  test(`${algorithm}: we verify what another implementation signed, compressed names too`, (t) => {
    const { mac } = signMessage(plain, { key: keyOf(algorithm), atSeconds: at });
    const verifier = createTsigVerifier({ key: keyOf(algorithm), requestMac: mac });
    const verdict = verifier.next(Buffer.from(reply, 'hex'), at + 299);
    t.is(verdict.kind, 'verified');
    if (verdict.kind !== 'verified') return;
    t.deepEqual(verdict.message.additionals, []);
    t.deepEqual(
      verdict.message.answers,
      [
        {
          name: name('www.example.com'),
          type: 1,
          class: recordClasses.internet,
          ttlSeconds: 300,
          data: toRecordData(1, '192.0.2.1') ?? Buffer.alloc(0),
        },
      ].map((record) => ({ ...record, data: new Uint8Array(record.data) })),
    );
  });
}

const answerBytes = encodeMessage({
  id: 0x1234,
  flags: 0x8400,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
});

function exchange(): { readonly key: TsigKey; readonly requestMac: Uint8Array } {
  const key = keyOf();
  return { key, requestMac: signMessage(plain, { key, atSeconds: at }).mac };
}

function signedAnswer(options: Partial<Parameters<typeof signMessage>[1]> = {}): Uint8Array {
  const { key, requestMac } = exchange();
  const prior = { mac: requestMac, form: 'reply' } as const;
  return signMessage(answerBytes, { key, atSeconds: at, prior, ...options }).bytes;
}

function verdictOn(bytes: Uint8Array, now = at): unknown {
  return createTsigVerifier(exchange()).next(bytes, now);
}

test('the clock counts to the second', (t) => {
  t.like(verdictOn(signedAnswer(), at + 300), { kind: 'verified' });
  t.deepEqual(verdictOn(signedAnswer(), at + 301), { kind: 'badTime', aheadSeconds: 301 });
  t.deepEqual(verdictOn(signedAnswer(), at - 301), { kind: 'badTime', aheadSeconds: -301 });
});

test("BADTIME tells how far the clocks are apart, by the server's own", (t) => {
  const other = Buffer.alloc(6);
  other.writeUIntBE(at - 3_600, 0, 6);
  const bytes = signedAnswer({ error: tsigErrors.badTime, other });
  t.deepEqual(verdictOn(bytes), { kind: 'badTime', aheadSeconds: 3_600 });
});

test('an answer to another request, with another key or algorithm is not ours', (t) => {
  const mac = Buffer.alloc(32);
  t.like(verdictOn(signedAnswer({ prior: { mac, form: 'reply' } })), { kind: 'failed' });
  const secret = Buffer.alloc(32);
  t.like(verdictOn(signedAnswer({ key: { ...keyOf(), secret } })), { kind: 'failed' });
  t.like(verdictOn(signedAnswer({ key: { ...keyOf(), name: name('other') } })), { kind: 'failed' });
  t.like(verdictOn(signedAnswer({ key: keyOf('hmac-sha512') })), { kind: 'failed' });
});

test('a refusal of our key comes without a MAC and is told by its error', (t) => {
  const bytes = Buffer.from(signedAnswer({ error: tsigErrors.badKey }));
  // Without its 32 bytes of MAC: lengths are 2 bytes before, and 10 + 6 bytes before those.
  const macAt = bytes.length - 6 - 32;
  const cut = Buffer.concat([bytes.subarray(0, macAt), bytes.subarray(macAt + 32)]);
  cut.writeUInt16BE(0, macAt - 2);
  const lengthAt = macAt - 10 - name('hmac-sha256').length - 2;
  cut.writeUInt16BE(cut.readUInt16BE(lengthAt) - 32, lengthAt);
  t.like(verdictOn(cut), { kind: 'refused', error: tsigErrors.badKey });
});

test('a truncated MAC is not accepted', (t) => {
  const bytes = Buffer.from(signedAnswer());
  const macAt = bytes.length - 6 - 32;
  const cut = Buffer.concat([bytes.subarray(0, macAt + 16), bytes.subarray(macAt + 32)]);
  cut.writeUInt16BE(16, macAt - 2);
  const lengthAt = macAt - 10 - name('hmac-sha256').length - 2;
  cut.writeUInt16BE(cut.readUInt16BE(lengthAt) - 16, lengthAt);
  t.like(verdictOn(cut), { kind: 'failed' });
});

test('a stream is believed with up to 99 unsigned messages between two signed ones', (t) => {
  const { key, requestMac } = exchange();
  for (const gap of [0, 1, unsignedMessagesMax, unsignedMessagesMax + 1]) {
    const verifier = createTsigVerifier({ key, requestMac });
    const prior = { mac: requestMac, form: 'reply' } as const;
    const first = signMessage(answerBytes, { key, atSeconds: at, prior });
    t.is(verifier.next(first.bytes, at).kind, 'verified');
    const between = Array.from({ length: gap }, () => answerBytes);
    const kinds = between.map((bytes) => verifier.next(bytes, at).kind);
    t.is(kinds.includes('failed'), gap > unsignedMessagesMax);
    const further = { mac: first.mac, form: 'further', between } as const;
    const last = signMessage(answerBytes, { key, atSeconds: at, prior: further });
    if (gap <= unsignedMessagesMax) t.is(verifier.next(last.bytes, at).kind, 'verified');
  }
});

test('a stream with a message left out, doubled or changed is not believed', (t) => {
  const { key, requestMac } = exchange();
  const prior = { mac: requestMac, form: 'reply' } as const;
  const first = signMessage(answerBytes, { key, atSeconds: at, prior });
  const between = [answerBytes, answerBytes];
  const further = { mac: first.mac, form: 'further', between } as const;
  const last = signMessage(answerBytes, { key, atSeconds: at, prior: further });
  const changed = Buffer.from(answerBytes);
  changed[3] = 3;
  for (const seen of [[answerBytes], [...between, answerBytes], [answerBytes, changed]]) {
    const verifier = createTsigVerifier({ key, requestMac });
    verifier.next(first.bytes, at);
    for (const bytes of seen) verifier.next(bytes, at);
    t.is(verifier.next(last.bytes, at).kind, 'failed');
  }
});

test('a pointer that leads forward or to itself ends the reading', (t) => {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(1, 4);
  for (const target of [12, 13, 14, 500]) {
    const question = Buffer.from([0xc0, target, 0, 1, 0, 1]);
    t.is(decodeMessage(Buffer.concat([header, question])), undefined, String(target));
  }
});

test('a request in which one bit is another one is not verified, but for its id and letters', (t) => {
  const key: TsigKey = {
    name: parseNameText('fedkey.example') ?? ('\0' as WireName),
    algorithm: 'hmac-sha256',
    secret: Buffer.alloc(32, 3),
  };
  const { bytes } = signMessage(plain, { key, atSeconds: at });
  t.is(verifyRequest(bytes, key, at).kind, 'verified');
  const taken: string[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const forged = Buffer.from(bytes);
    const index = bit >> 3;
    forged[index] = (forged[index] ?? 0) ^ (1 << (bit & 7));
    if (verifyRequest(forged, key, at).kind !== 'verified') continue;
    const isLetter = (bit & 7) === 5 && /[a-z]/i.test(String.fromCharCode(bytes[index] ?? 0));
    // The id is another one after a forwarder (RFC 8945 5.1), names have no case (4.3.3).
    if (index >= 2 && !(isLetter && index >= plain.length)) taken.push(`byte ${index}`);
  }
  t.deepEqual(taken, []);
});

test('a request is refused by the reason that RFC 8945 5.2 gives, and told no more', (t) => {
  const name = parseNameText('fedkey.example') ?? ('\0' as WireName);
  const key: TsigKey = { name, algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 3) };
  const { bytes, mac } = signMessage(plain, { key, atSeconds: at });
  const reply = Buffer.from(plain);
  reply.writeUInt16BE(0x8009, 2);
  const refusal = (by: TsigKey | undefined, now = at) => {
    const verdict = verifyRequest(bytes, by, now);
    if (verdict.kind !== 'refused') return verdict.kind;
    return createTsigVerifier({ key, requestMac: mac }).next(verdict.sign(reply), now);
  };
  t.like(refusal(undefined), { kind: 'refused', error: tsigErrors.badKey });
  t.like(refusal({ ...key, algorithm: 'hmac-sha512' }), { error: tsigErrors.badKey });
  const other = Buffer.alloc(32, 4);
  t.like(refusal({ ...key, secret: other }), { kind: 'refused', error: tsigErrors.badSignature });
  t.is(refusal(key, at + 300), 'verified');
  // Signed with the time of the request, so that it can be believed; ours is in it.
  t.deepEqual(refusal(key, at + 301), { kind: 'badTime', aheadSeconds: 0 });
  t.is(verifyRequest(plain, key, at).kind, 'unsigned');
  const twice = signMessage(bytes, { key, atSeconds: at }).bytes;
  t.is(verifyRequest(twice, key, at).kind, 'malformed');
});
