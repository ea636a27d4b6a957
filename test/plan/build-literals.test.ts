// The second half of the build: literals that begin with a spread.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import test from 'ava';
import { beginLiteralsPlainly } from '../../build/literals.ts';

const rows: readonly (readonly [string, string, string])[] = [
  ['a spread and a key', 'f({ ...a, b: 1 })', 'f({ ...null, ...a, b: 1 })'],
  ['a copy, to which keys may be added', 'const c = {...a};', 'const c = { ...null,...a};'],
  ['two spreads', 'x = { ...a, ...b }', 'x = { ...null, ...a, ...b }'],
  ['one over several lines', 'x = {\n  ...a,\n  b,\n};', 'x = { ...null,\n  ...a,\n  b,\n};'],
  [
    'one inside another',
    'x = { ...a, b: { ...c, d } };',
    'x = { ...null, ...a, b: { ...null, ...c, d } };',
  ],
  ['one that begins with a key', 'x = { b, ...a };', 'x = { b, ...a };'],
  ['a pattern', 'const { ...rest } = a;', 'const { ...rest } = a;'],
  ['a list', 'x = [...a, b];', 'x = [...a, b];'],
  ['a text', "x = '{ ...a, b }';", "x = '{ ...a, b }';"],
];
for (const [title, text, wanted] of rows) {
  test(`${title} is written so that V8 knows its class again`, (t) => {
    t.is(beginLiteralsPlainly('x.js', text), wanted);
    t.is(beginLiteralsPlainly('x.js', wanted), wanted, 'twice is as once');
  });
}

test('what is rewritten means what it meant', (t) => {
  const before = '(a) => ({ ...a, ...undefined, b: { ...a.c, d: 2 } })';
  const run = (text: string, a: unknown): unknown => runInThisContext(text)(a);
  const after = beginLiteralsPlainly('x.js', before);
  t.not(after, before);
  for (const a of [{ b: 1, c: { d: 1, e: 3 } }, {}, JSON.parse('{"__proto__":{"x":1},"c":null}')]) {
    t.deepEqual(run(after, a), run(before, a));
    t.deepEqual(Object.keys(Object(run(after, a))), Object.keys(Object(run(before, a))));
  }
});

test('the programs that run here were built so', (t) => {
  const plain = ['common', 'coordinator', 'agent']
    .flatMap((root) =>
      readdirSync(join('dist', root), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.js'))
        .map((name) => join('dist', root, name)),
    )
    .filter((path) => {
      const text = readFileSync(path, 'utf8');
      return beginLiteralsPlainly(path, text) !== text;
    });
  t.deepEqual(plain, [], 'run `npm run build`, not the compiler alone');
});
