// Accessors in object literals. V8 gives each such object a hidden class of its own, in the old space,
// which keeps what its closures refer to until the next full collection. Where one is made per request
// that was every request. A class has them on its prototype, once.

import test from 'ava';
import { Visitor } from 'oxc-parser';
import { lineOf, listSources, parseSource } from './source-files.ts';

const product = /^(common|coordinator|agent|plugin)\//;

/** Made once in the life of a process or of a zone. */
const madeOnce: ReadonlySet<string> = new Set([
  'coordinator/trust/data-dir.ts',
  'coordinator/dns/provider/cloud-dns-quota.ts',
]);

function findAccessors(path: string, text?: string): readonly string[] {
  const source = parseSource(path, text);
  const found: string[] = [];
  new Visitor({
    ObjectExpression: ({ properties }) => {
      for (const property of properties) {
        if (property.type !== 'Property' || property.kind === 'init') continue;
        found.push(`${path}:${lineOf(source, property.start)}`);
      }
    },
  }).visit(source.program);
  return found;
}

test('no object literal of the product has an accessor, but those that are made once', (t) => {
  const paths = listSources().filter((path) => product.test(path) && !madeOnce.has(path));
  t.deepEqual(
    paths.flatMap((path) => findAccessors(path)),
    [],
  );
});

test('the check catches an accessor in a literal, and lets a class have one', (t) => {
  t.deepEqual(findAccessors('x.ts', 'const a = {\n  get b() { return 1; },\n};'), ['x.ts:2']);
  t.deepEqual(findAccessors('x.ts', 'class A { get b() { return 1; } }'), []);
});
