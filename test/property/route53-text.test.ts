import test from 'ava';
import fc from 'fast-check';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import {
  fromResourceRecordSet,
  measureGroup,
  RawForms,
  toResourceRecordSet,
} from '../../coordinator/dns/provider/route53-sets.ts';
import {
  fromRoute53Name,
  fromRoute53Value,
  toListOrder,
  toRoute53Name,
  toRoute53Value,
} from '../../coordinator/dns/provider/route53-text.ts';
import { canonicalName, listKey } from '../support/dns/route53/names.ts';

// Labels of any bytes, as RFC 1035 has them, in the canonical form of provider.ts.
const label = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) =>
  [...bytes]
    .map((byte) => {
      const upper = byte >= 65 && byte <= 90;
      const c = String.fromCharCode(upper ? byte + 32 : byte);
      const isPlain = byte > 32 && byte < 127 && c !== '.' && c !== '\\';
      return isPlain ? c : `\\${String(byte).padStart(3, '0')}`;
    })
    .join(''),
);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));

test('a name of any bytes comes back from the service as it was', (t) => {
  fc.assert(fc.property(name, (text) => fromRoute53Name(toRoute53Name(text)) === text));
  t.pass();
});

test('the service, by its own rules, stores the name that we meant', (t) => {
  fc.assert(
    fc.property(name, (text) => {
      const written = toRoute53Name(text);
      // A label of * alone may be written plainly; it is stored as \052.
      return canonicalName(written) === written.replaceAll(/(?<=^|\.)\*(?=\.)/g, '\\052');
    }),
  );
  t.pass();
});

test('names sort as the service lists them', (t) => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      const ours = toListOrder(a) < toListOrder(b);
      return ours === listKey(toRoute53Name(a)) < listKey(toRoute53Name(b));
    }),
  );
  t.pass();
});

test('text of any characters comes back, in strings that the service takes', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (text) => {
      const written = toRoute53Value('TXT', text);
      const strings = [...written.matchAll(/"((?:[^"\\]|\\\d{3}|\\[^\d])*)"/g)];
      const isTaken = strings.every(
        ([, inner = '']) => inner.replaceAll(/\\\d{3}|\\./g, '.').length <= 255,
      );
      const isPrintable = /^[ -~]*$/.test(written);
      return isTaken && isPrintable && fromRoute53Value('TXT', written) === text;
    }),
  );
  t.pass();
});

test('nothing that stands at the service makes reading throw', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('A', 'AAAA', 'TXT', 'CNAME', 'SRV', 'MX', 'CAA', 'SOA'),
      (text, type) => {
        fromRoute53Name(text);
        fromRoute53Value(type, text);
        return true;
      },
    ),
  );
  t.pass();
});

const value = fc.oneof(
  fc.record({ type: fc.constant('A'), value: fc.ipV4() }),
  fc.record({ type: fc.constant('AAAA'), value: fc.ipV6() }),
  fc.record({ type: fc.constant('CNAME'), value: name }),
  fc.record({ type: fc.constant('TXT'), value: fc.string({ maxLength: 300 }) }),
);

test('what is read can be deleted as it stands, in whatever form it is', (t) => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 40 }),
      fc.constantFrom('TXT', 'AAAA', 'CNAME'),
      (text, type) => {
        const raws = new RawForms(10);
        const raw = {
          Name: 'a.example.com.',
          Type: type,
          TTL: 60,
          ResourceRecords: [{ Value: text }],
        };
        const set = raws.keep(raw as Parameters<RawForms['keep']>[0]);
        const again = raws.asItStands(structuredClone(set) as ZoneRecordSet);
        return again.ResourceRecords?.[0]?.Value === text;
      },
    ),
  );
  t.pass();
});

test('our sets come back as they were said, and cost what they are', (t) => {
  fc.assert(
    fc.property(name, value, fc.integer({ min: 0, max: 86_400 }), (at, said, ttlSeconds) => {
      const values = [fromRoute53Value(said.type, toRoute53Value(said.type, said.value))];
      const set: ZoneRecordSet = { name: at, type: said.type, ttlSeconds, values };
      const raw = toResourceRecordSet(set);
      const cost = measureGroup({ id: 'g', deletes: [set], creates: [set] });
      const characters = raw.ResourceRecords?.[0]?.Value?.length ?? 0;
      t.deepEqual(fromResourceRecordSet(raw), set);
      return cost.changes === 2 && cost.bytes === 2 * characters;
    }),
  );
});
