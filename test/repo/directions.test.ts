import test from 'ava';
import { findDirectionFault } from './directions.ts';
import { importsOf, listSources, parseSource } from './source-files.ts';

test('every import follows the directions of the architecture', (t) => {
  const faults = listSources()
    .flatMap((path) => importsOf(parseSource(path)))
    .flatMap((found) => findDirectionFault(found) ?? []);
  t.deepEqual(faults, []);
});

const planted: readonly (readonly [string, string, string])[] = [
  ['agent/shard/loop.ts', '../../coordinator/desired/store.ts', 'never meet'],
  ['coordinator/dns/publish/loop.ts', '../../health/loop.ts', 'no other stage'],
  ['coordinator/dns/publish/plan.ts', '../../../common/runtime/clock.ts', 'pure file'],
  ['coordinator/dns/publish/plan.ts', 'node:fs', 'no I/O'],
  ['common/model/ids.ts', '../pure/errors.ts', 'outside itself'],
  ['common/pure/digest.ts', '../runtime/log.ts', 'only pure'],
  ['coordinator/health/loop.ts', 'nats', 'only common/runtime/nats-bus.ts'],
  ['coordinator/main.ts', '../test/support/programs.ts', 'nothing imports test'],
  ['agent/agent.ts', '../demo/main.ts', 'no demo'],
  ['plugin/main.ts', '../coordinator/settings/settings.ts', 'not its server'],
  ['agent/agent.ts', './shard/loop', '.ts name'],
];

for (const [from, specifier, rule] of planted) {
  test(`the directions check catches ${from} importing ${specifier}`, (t) => {
    const source = parseSource(from, `import { x } from '${specifier}';`);
    const faults = importsOf(source).flatMap((found) => findDirectionFault(found) ?? []);
    t.is(faults.length, 1);
    t.true(faults[0]?.includes(rule), faults[0]);
  });
}

test('a stage may import the store port', (t) => {
  const source = parseSource(
    'coordinator/dns/publish/loop.ts',
    "import type { Desired } from '../../desired/store.ts';",
  );
  t.deepEqual(
    importsOf(source).flatMap((found) => findDirectionFault(found) ?? []),
    [],
  );
});
