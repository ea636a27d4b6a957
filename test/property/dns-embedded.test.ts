// What the embedded zone answers is what the publication says, in every hostname mode: addresses,
// SRV records, names of shards and short names.

import test from 'ava';
import fc from 'fast-check';
import { embeddedShape, type ZoneShape } from '../../coordinator/dns/publish/zone-shape.ts';
import { decode, nginx, question } from '../support/dns-fixtures.ts';
import { history, play, seed } from '../support/dns/shape-world.ts';
import { serveZones } from '../support/served-zone.ts';

const shapes: fc.Arbitrary<ZoneShape> = fc
  .constantFrom<ZoneShape['hostnameMode']>('Prefer', 'Flatten', 'PerShard')
  .map((hostnameMode) => ({ ...embeddedShape, hostnameMode }));

test('every name of a publication is answered by the embedded zone, with what it says', (t) => {
  fc.assert(
    fc.property(shapes, history, (shape, moments) => {
      const served = serveZones('myfederation', [{ domain: 'example.com' }]);
      return play(shape, moments).every(({ planned }, index) => {
        const services = [{ key: nginx, recordSets: planned.recordSets }];
        served.apply({ serial: index + 1, services });
        return planned.recordSets.every(({ name, type, values, weights }) => {
          const { reply } = served.responder.answer(question(name, type), 'tcp');
          const { code, answers } = decode(reply);
          const own = answers.filter((line) => line.startsWith(`${name} ${type} `));
          if (code !== 'NOERROR') return false;
          if (type === 'SRV') return own.length === values.length;
          const said = own.map((line) => line.split(' ')[2] ?? '');
          // Where weights differ each answer carries one of them.
          if (weights !== undefined) return said.length === 1 && values.includes(said[0] ?? '');
          return [...said].sort().join() === [...values].sort().join();
        });
      });
    }),
    { seed, numRuns: 100 },
  );
  t.pass();
});

test('what is published no more is not answered', (t) => {
  const served = serveZones('myfederation', [{ domain: 'example.com' }]);
  const [step] = play({ ...embeddedShape, hostnameMode: 'PerShard' }, [
    [
      { cluster: 'a', region: 'r1', zones: ['z1'], ips: ['8.8.0.1'] },
      { cluster: 'b', region: 'r1', zones: ['z1'], ips: ['8.8.0.2'] },
    ],
  ]);
  const sets = step?.planned.recordSets ?? [];
  t.true(sets.length > 4);
  served.apply({ serial: 1, services: [{ key: nginx, recordSets: sets }] });
  served.apply({ serial: 2, services: [{ key: nginx, recordSets: [] }] });
  for (const { name, type } of sets) {
    t.is(decode(served.responder.answer(question(name, type), 'tcp').reply).code, 'NXDOMAIN');
  }
});
