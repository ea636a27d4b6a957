// Equality of JSON values is that of their canonical texts.

import test from 'ava';
import fc from 'fast-check';
import { isSameJson, toCanonicalJson } from '../../common/pure/canonical-json.ts';

const leaf = fc.constantFrom<unknown>(0, 1, '', 'a', true, null);
const name = fc.constantFrom('a', 'b', '__proto__');
// Few leaves and names, so that equal values are made often.
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('any'), { maxLength: 2 }),
    fc.dictionary(name, fc.oneof(tie('any'), fc.constant(undefined)), { maxKeys: 2 }),
  ),
})).any;

test('two values are the same when their canonical texts are', (t) => {
  fc.assert(
    fc.property(value, value, (a, b) => {
      t.is(isSameJson(a, b), toCanonicalJson(a) === toCanonicalJson(b));
      t.true(isSameJson(a, structuredClone(a)));
    }),
    { seed: 20_261_125, numRuns: 2_000 },
  );
});
