// JSON patch as RFC 6902's appendix A has it, and what it must not reach.

import test from 'ava';
import fc from 'fast-check';
import type { JsonPatchOperation } from '../../common/model/isthmus-kinds.ts';
import type { Json } from '../../common/model/kube-object.ts';
import { patchJson } from '../../common/pure/json-patch.ts';

type Row = readonly [
  title: string,
  before: Json,
  patch: readonly JsonPatchOperation[],
  after: Json | RegExp,
];

const rows: readonly Row[] = [
  [
    'A.1 adding a member',
    { foo: 'bar' },
    [{ op: 'add', path: '/baz', value: 'qux' }],
    { baz: 'qux', foo: 'bar' },
  ],
  [
    'A.2 adding an item',
    { foo: ['bar', 'baz'] },
    [{ op: 'add', path: '/foo/1', value: 'qux' }],
    { foo: ['bar', 'qux', 'baz'] },
  ],
  [
    'A.3 removing a member',
    { baz: 'qux', foo: 'bar' },
    [{ op: 'remove', path: '/baz' }],
    { foo: 'bar' },
  ],
  [
    'A.4 removing an item',
    { foo: ['bar', 'qux', 'baz'] },
    [{ op: 'remove', path: '/foo/1' }],
    { foo: ['bar', 'baz'] },
  ],
  [
    'A.5 replacing',
    { baz: 'qux', foo: 'bar' },
    [{ op: 'replace', path: '/baz', value: 'boo' }],
    { baz: 'boo', foo: 'bar' },
  ],
  [
    'A.6 moving a value',
    { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
    [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
  ],
  [
    'A.7 moving an item',
    { foo: ['all', 'grass', 'cows', 'eat'] },
    [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    { foo: ['all', 'cows', 'eat', 'grass'] },
  ],
  [
    'A.8 a test that holds',
    { baz: 'qux', foo: ['a', 2, 'c'] },
    [
      { op: 'test', path: '/baz', value: 'qux' },
      { op: 'test', path: '/foo/1', value: 2 },
    ],
    { baz: 'qux', foo: ['a', 2, 'c'] },
  ],
  [
    'A.9 a test that fails',
    { baz: 'qux' },
    [{ op: 'test', path: '/baz', value: 'bar' }],
    /another value/,
  ],
  [
    'A.10 a nested object',
    { foo: 'bar' },
    [{ op: 'add', path: '/child', value: { grandchild: {} } }],
    { foo: 'bar', child: { grandchild: {} } },
  ],
  [
    'A.12 a target that is not there',
    { foo: 'bar' },
    [{ op: 'add', path: '/baz/bat', value: 'qux' }],
    /nothing stands at \/baz\/bat/,
  ],
  [
    'A.14 escapes',
    { '/': 9, '~1': 10 },
    [{ op: 'test', path: '/~01', value: 10 }],
    { '/': 9, '~1': 10 },
  ],
  [
    'A.15 texts and numbers',
    { '/': 9, '~1': 10 },
    [{ op: 'test', path: '/~01', value: '10' }],
    /another value/,
  ],
  [
    'A.16 adding an array',
    { foo: ['bar'] },
    [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
    { foo: ['bar', ['abc', 'def']] },
  ],
  [
    'copying',
    { a: { b: 1 } },
    [{ op: 'copy', from: '/a', path: '/c' }],
    { a: { b: 1 }, c: { b: 1 } },
  ],
  ['a null is a value', { a: null }, [{ op: 'replace', path: '/a', value: 1 }], { a: 1 }],
  [
    'an index beyond the end',
    { a: [1] },
    [{ op: 'add', path: '/a/2', value: 3 }],
    /nothing stands/,
  ],
  [
    'an index that is none',
    { a: [1] },
    [{ op: 'replace', path: '/a/01', value: 3 }],
    /nothing stands/,
  ],
  ['replacing what is not there', {}, [{ op: 'replace', path: '/a', value: 1 }], /nothing stands/],
  [
    'moving into itself',
    { a: { b: 1 } },
    [{ op: 'move', from: '/a', path: '/a/b' }],
    /into itself/,
  ],
  ['no pointer', {}, [{ op: 'add', path: 'a', value: 1 }], /no JSON pointer/],
  ['what objects inherit', {}, [{ op: 'remove', path: '/constructor' }], /nothing stands/],
  [
    'through what objects inherit',
    {},
    [{ op: 'add', path: '/__proto__/x', value: 1 }],
    /nothing stands/,
  ],
];

for (const [title, before, patch, after] of rows) {
  test(`${title}`, (t) => {
    const result = patchJson(before, patch);
    if (after instanceof RegExp) {
      t.regex(result.kind === 'failed' ? result.message : 'it was done', after);
    } else {
      t.deepEqual(result, { kind: 'patched', value: after });
    }
  });
}

test('J1 a member called __proto__ is one like any other', (t) => {
  const result = patchJson({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]);
  t.is(
    result.kind === 'patched' ? JSON.stringify(result.value) : '',
    '{"__proto__":{"polluted":true}}',
  );
  t.is(({} as { readonly polluted?: boolean }).polluted, undefined);
});

test('J2 copies that double what is there end before it is larger than a machine', (t) => {
  const double: JsonPatchOperation = { op: 'copy', from: '/spec/x', path: '/spec/x/-' };
  const patch: JsonPatchOperation[] = [
    { op: 'add', path: '/spec/x', value: ['0123456789'] },
    ...Array.from({ length: 60 }, () => double),
  ];
  const result = patchJson({ spec: {} }, patch);
  t.like(result, { kind: 'failed' });
  t.regex(result.kind === 'failed' ? result.message : '', /copies .* more than \d+ bytes/);
  const few = patchJson({ spec: {} }, patch.slice(0, 10));
  t.is(few.kind === 'patched' ? JSON.stringify(few.value).split('0123').length : 0, 2 ** 9 + 1);
});

test('J2 copies into their own depths end before no stack holds them', (t) => {
  const deepen = (_: unknown, index: number): JsonPatchOperation => {
    return { op: 'copy', from: '/x', path: `/x${'/0'.repeat(index + 1)}/-` };
  };
  const patch: JsonPatchOperation[] = [
    { op: 'add', path: '/x', value: [[]] },
    ...Array.from({ length: 500 }, deepen),
  ];
  t.like(patchJson({}, patch), { kind: 'failed' });
});

test('what was given never changes, whatever is done to it; a failure names its place', (t) => {
  const anyPath = fc
    .array(fc.constantFrom('a', 'b', '0', '1', '-', '__proto__', 'length'), { maxLength: 3 })
    .map((steps) => steps.map((step) => `/${step}`).join(''));
  const anyOperation: fc.Arbitrary<JsonPatchOperation> = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path: anyPath,
    from: anyPath,
    value: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  });
  const anyValue = fc.oneof(
    fc.record({ a: fc.jsonValue({ maxDepth: 2 }), b: fc.array(fc.jsonValue({ maxDepth: 1 })) }),
    fc.array(fc.jsonValue({ maxDepth: 2 })),
  ) as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(anyValue, fc.array(anyOperation, { maxLength: 5 }), (value, patch) => {
      const before = JSON.stringify(value);
      const result = patchJson(value, patch);
      if (JSON.stringify(value) !== before) return false;
      return result.kind === 'patched' || (result.index >= 0 && result.index < patch.length);
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
