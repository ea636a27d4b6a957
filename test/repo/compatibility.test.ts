import { readFileSync } from 'node:fs';
import test from 'ava';
import { findFaults, pagePath, readCompatibility } from '../compat/compatibility.ts';
import { items } from '../compat/items.ts';
import { shownBy } from '../compat/titles.ts';
import { parseSource } from './source-files.ts';

const { page, faults } = readCompatibility();

test('every item of the compatibility checklist is proved, decided, or listed as open', (t) => {
  t.deepEqual(faults, []);
});

test('the compatibility page is what the tests say: npm run compat', (t) => {
  t.is(readFileSync(pagePath, 'utf8'), page);
});

test('the checklist numbers its items without a gap', (t) => {
  t.deepEqual(
    items.map(({ number }) => number),
    items.map((_, index) => index + 1),
  );
});

// Built at run time, so that this file shows no item itself.
const tagged = (numbers: string): string => `[${'k8s'} ${numbers}]`;

test('a title is read from strings, templates and tables', (t) => {
  const text = [
    `test('plain ${tagged('1')}', run);`,
    `test(\`of \${kind} ${tagged('2, 4-6')}\`, run);`,
    `const table = [['row ${tagged('7')}', 1]];`,
  ].join('\n');
  t.deepEqual(
    shownBy(parseSource('test/plan/planted.test.ts', text)).map(
      ({ number, title }) => `${number} ${title}`,
    ),
    ['1 plain', '2 of …', '4 of …', '5 of …', '6 of …', '7 row'],
  );
});

for (const numbers of ['132', 'one', '']) {
  test(`the check catches a title that names item "${numbers}"`, (t) => {
    const text = `test('x ${tagged(numbers)}', run);`;
    const found = findFaults(shownBy(parseSource('test/plan/planted.test.ts', text)));
    t.true(found[0]?.includes('which is none'), found[0]);
  });
}
