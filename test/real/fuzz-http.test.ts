// The HTTP target for its share of CI's time. A longer run: npm run fuzz -- --target http.

import test from 'ava';
import { closeHttpWorld, httpTarget } from '../fuzz/http-target.ts';
import { checkTarget } from '../fuzz/check-target.ts';

test.after.always(closeHttpWorld);

test('whole exchanges over all kinds: no fault, no hang, what is stored is taken again', (t) =>
  checkTarget(t, httpTarget, 30));
