// Numbers of exchanges: none comes twice, although places do.

import test from 'ava';
import { SlotNumbers, Slots } from '../../coordinator/api/https/exchange-slots.ts';

test('a place that is free again is given under another number', (t) => {
  const [numbers, slots] = [new SlotNumbers(), new Slots<string>()];
  const [first = 0, second = 0] = [numbers.take(), numbers.take()];
  slots.put(first, 'first');
  slots.put(second, 'second');
  t.true(slots.delete(first));
  t.false(slots.delete(first));
  numbers.giveBack(first);
  const third = numbers.take() ?? 0;
  slots.put(third, 'third');
  t.is(third % 2 ** 20, first % 2 ** 20, 'its place');
  t.is(slots.get(first), undefined, 'an order for the first does not reach the third');
  t.is(slots.get(third), 'third');
  t.deepEqual(slots.values(), ['third', 'second']);
});

test('a million are open at the most', (t) => {
  const numbers = new SlotNumbers();
  const given = new Set<number>();
  for (let count = 0; count < 2 ** 20; count += 1) given.add(numbers.take() ?? 0);
  t.is(given.size, 2 ** 20);
  t.is(numbers.take(), undefined);
  numbers.giveBack([...given][7] ?? 0);
  t.not(numbers.take(), undefined);
});
