import test from 'ava';
import fc from 'fast-check';
import {
  ExactForms,
  fromWire,
  quote,
  toWire,
  unquote,
  type WireRecordSet,
} from '../../coordinator/dns/provider/cloud-dns-records.ts';

test('addresses, names and texts of Cloud DNS become one form', (t) => {
  const wire = (type: string, rrdatas: readonly string[]): WireRecordSet => ({
    name: 'A.Example.COM.',
    type,
    ttl: 60,
    rrdatas,
  });
  const valuesOf = (type: string, ...rrdatas: readonly string[]): readonly string[] =>
    fromWire(wire(type, rrdatas)).values;
  t.is(fromWire(wire('A', ['192.0.2.1'])).name, 'a.example.com');
  t.deepEqual(valuesOf('AAAA', '2001:DB8:0:0::1', '2001:db8::0'), ['2001:db8::', '2001:db8::1']);
  t.deepEqual(valuesOf('CNAME', 'B.Example.com.'), ['b.example.com']);
  t.deepEqual(valuesOf('SRV', '0  5 80 B.example.com.'), ['0 5 80 b.example.com']);
  t.deepEqual(valuesOf('TXT', '"a" "b"', '"say \\"hi\\" \\\\ \\195\\164"', 'bare words'), [
    'ab',
    'barewords',
    'say "hi" \\ ä',
  ]);
});

test('a weighted round robin keeps the order of its items and sorts the values of each', (t) => {
  const set = fromWire({
    name: 'a.test.',
    type: 'A',
    ttl: 30,
    routingPolicy: {
      kind: 'dns#rRSetRoutingPolicy',
      wrr: {
        items: [{ weight: 2.5, rrdatas: ['192.0.2.9', '192.0.2.1'] }, { rrdatas: ['192.0.2.3'] }],
      },
    },
  });
  t.deepEqual(set.items, [
    { weight: 2.5, values: ['192.0.2.1', '192.0.2.9'] },
    { weight: 0, values: ['192.0.2.3'] },
  ]);
  t.deepEqual(toWire(set).routingPolicy, {
    wrr: {
      items: [
        { weight: 2.5, rrdatas: ['192.0.2.1', '192.0.2.9'] },
        { weight: 0, rrdatas: ['192.0.2.3'] },
      ],
    },
  });
});

const policies: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['by place', { geo: { items: [{ location: 'europe-west1', rrdatas: ['192.0.2.1'] }] } }],
  ['with a primary and backups', { primaryBackup: { trickleTraffic: 0.1 } }],
  [
    'with a health check',
    { healthCheck: 'c', wrr: { items: [{ weight: 1, rrdatas: ['192.0.2.1'] }] } },
  ],
  ['of load balancers', { wrr: { items: [{ weight: 1, healthCheckedTargets: {} }] } }],
];

for (const [what, routingPolicy] of policies) {
  test(`a policy ${what} is foreign, and can be deleted exactly`, (t) => {
    const wire = { name: 'a.test.', type: 'A', ttl: 30, routingPolicy };
    const set = fromWire(wire);
    t.is(typeof set.foreign, 'string');
    t.deepEqual(set.values, []);
    t.deepEqual(toWire(set), wire);
  });
}

test('a set is deleted by the text in which it is kept, not by ours', (t) => {
  const forms = new ExactForms();
  const kept = { name: 'A.test.', type: 'A', ttl: 60, rrdatas: ['192.0.2.9', '192.0.2.1'] };
  const set = forms.remember({ ...kept });
  t.deepEqual(set.values, ['192.0.2.1', '192.0.2.9']);
  t.deepEqual(forms.toDelete(set), kept);
  t.deepEqual(forms.toDelete({ ...set, ttlSeconds: 30 }), toWire({ ...set, ttlSeconds: 30 }));
  forms.forget(set);
  t.deepEqual(forms.toDelete(set), toWire(set));
});

test('a text of any length and content survives its quoting', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 700 }), (text) => {
      const quoted = quote(text);
      t.false(/[^ -~]/.test(quoted));
      t.is(unquote(quoted), text);
    }),
  );
  for (const string of quote('x'.repeat(600)).split(' ')) t.true(string.length <= 257);
});
