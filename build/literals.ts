// Object literals that begin with a spread, as they are best written for V8.
//
// V8 of Node 20 gives every `{ ...one, key: value }` a hidden class of its own once its code is warm
// (its clone of `one` has a class outside the tree of transitions, so that the class with `key` is
// never found again). Each is 600 ns instead of 60, and garbage in the old space that keeps what the
// object refers to until the next full collection. With any element before the spread the literal
// is built from the empty object, as all others are. Node 22 knows no difference: when Node 20 is no
// longer supported, this folder can go. A spread of null is nothing (ECMAScript, CopyDataProperties).

import { parseSync, Visitor } from 'oxc-parser';

const prefix = ' ...null,';

/** JavaScript in, the same JavaScript out: no literal in it begins with a spread of anything but null. */
export function beginLiteralsPlainly(path: string, text: string): string {
  if (!/\{\s*\.\.\./.test(text)) return text;
  const pieces: string[] = [];
  let from = 0;
  for (const brace of findSpreadFirst(path, text)) {
    pieces.push(text.slice(from, brace + 1), prefix);
    from = brace + 1;
  }
  pieces.push(text.slice(from));
  return pieces.join('');
}

/** Offsets of their opening braces, in order. */
function findSpreadFirst(path: string, text: string): readonly number[] {
  const braces: number[] = [];
  new Visitor({
    ObjectExpression: ({ start, properties: [first] }) => {
      if (first?.type !== 'SpreadElement') return;
      const isNothing = first.argument.type === 'Literal' && first.argument.value === null;
      if (!isNothing) braces.push(start);
    },
  }).visit(parseSync(path, text).program);
  return braces.sort((one, other) => one - other);
}
