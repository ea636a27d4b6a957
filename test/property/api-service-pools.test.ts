import test from 'ava';
import fc from 'fast-check';
import { OffsetPool } from '../../coordinator/api/allocation/offset-pool.ts';
import { parseAddressRange } from '../../coordinator/api/allocation/number-range.ts';
import { parseIp } from '../../coordinator/api/machinery/rules/ip-rules.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { createServiceApi, specOf, portsOf } from '../support/service-api.ts';

const runs = { numRuns: 60 };

test('A1 whatever writers do at once, no address and no node port is given twice', async (t) => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    kind: fc.constantFrom('create', 'create', 'delete', 'alias', 'plain', 'dry'),
    asked: fc.constantFrom('', '', '10.96.0.1', '10.96.0.2'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }),
      async (rounds) => {
        const api = await createServiceApi({ addresses: '10.96.0.0/29', ports: '30000-30003' });
        for (const round of rounds) {
          await Promise.all(
            round.map(({ name, kind, asked }) => {
              const spec = {
                type: 'NodePort',
                ports: [{ port: 80 }],
                ...(asked === '' ? {} : { clusterIP: asked }),
              };
              if (kind === 'create') return api.create(name, spec);
              if (kind === 'dry') return api.create(name, spec, {}, '?dryRun=All');
              if (kind === 'delete') return api.remove(name);
              return api.patch(name, {
                spec:
                  kind === 'plain'
                    ? { type: 'ClusterIP' }
                    : { type: 'ExternalName', externalName: 'a.example' },
              });
            }),
          );
          const all = await Promise.all(
            ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => api.get(name)),
          );
          const addresses = all.map((one) => specOf(one)['clusterIP']).filter(Boolean);
          const ports = all
            .flatMap((one) => portsOf(one).map(({ nodePort }) => nodePort))
            .filter(Boolean);
          if (new Set(addresses).size !== addresses.length) return false;
          if (new Set(ports).size !== ports.length) return false;
        }
        // A3. Nothing leaked: what is not in the log can be had.
        const had = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => api.get(name)));
        const free = 6 - had.filter((one) => specOf(one)['clusterIP'] !== undefined).length;
        const made = await Promise.all(
          Array.from({ length: 7 }, (_, i) => api.create(`new${i}`, { ports: [{ port: 80 }] })),
        );
        return made.filter(({ status }) => status === 201).length === free;
      },
    ),
    runs,
  );
  t.pass();
});

test('an address goes to its offset and back, and nothing outside of the range has one', (t) => {
  const range = fc.constantFrom(
    '10.0.0.0/8',
    '10.1.2.0/30',
    '192.168.0.0/17',
    'fd00::/112',
    'fd00::/80',
  );
  fc.assert(
    fc.property(range, fc.nat(), fc.bigInt(0n, 2n ** 32n - 1n), (text, at, value) => {
      const parsed = parseAddressRange(text);
      if (typeof parsed === 'string') return false;
      const offset = at % parsed.size;
      const ip = parseIp(parsed.addressAt(offset));
      if (ip === undefined || parsed.offsetOf(ip) !== offset) return false;
      const found = parsed.offsetOf({ family: 'IPv4', value, text: '', isOutdated: false });
      return found === undefined || (found >= 0 && found < parsed.size);
    }),
  );
  t.pass();
});

test('A1 a pool gives each offset once, the reserved ones last, and then says that it is full', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat({ max: 40 }), (size, front) => {
      const reserved = Math.min(front, size - 1);
      const pool = new OffsetPool({ size, reserved, chance: systemChance, nowMs: () => 0 });
      const given = Array.from({ length: size }, () => pool.holdAny());
      const dynamic = given.slice(0, size - reserved);
      return (
        new Set(given).size === size &&
        dynamic.every((offset) => (offset ?? -1) >= reserved) &&
        pool.holdAny() === undefined
      );
    }),
  );
  t.pass();
});
