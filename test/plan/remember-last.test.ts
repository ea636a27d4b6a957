// The last result stands for its text alone, and a failure for none.

import test from 'ava';
import { rememberLast } from '../../common/pure/remember-last.ts';

test('the same text is computed once, another one anew, and a failure each time', (t) => {
  const asked: string[] = [];
  const lengthOf = rememberLast((text) => {
    asked.push(text);
    if (text === 'bad') throw new Error('bad');
    return text.length;
  });
  t.deepEqual([lengthOf('one'), lengthOf('one'), lengthOf('three'), lengthOf('one')], [3, 3, 5, 3]);
  t.throws(() => lengthOf('bad'), { message: 'bad' });
  t.is(lengthOf('one'), 3);
  t.throws(() => lengthOf('bad'), { message: 'bad' });
  t.deepEqual(asked, ['one', 'three', 'one', 'bad', 'bad']);
});
