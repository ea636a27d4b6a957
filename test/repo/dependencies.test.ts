import 'reflect-metadata'; // @peculiar/x509 needs it before, as common/runtime/pki.ts does
import { readFileSync } from 'node:fs';
import test from 'ava';

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const described = JSON.parse(readFileSync('package.json', 'utf8')) as Package;

// Some packages install on a Node that they then fail to load on.
for (const name of Object.keys(described.dependencies)) {
  test(`${name} loads on this Node`, async (t) => {
    await t.notThrowsAsync(() => import(name));
  });
}

test('every dependency is pinned to one version', (t) => {
  const all = { ...described.dependencies, ...described.devDependencies };
  const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
  t.deepEqual(loose, []);
});

test('every dependency has its sentence in CONTRIBUTING.md', (t) => {
  const text = readFileSync('CONTRIBUTING.md', 'utf8');
  const all = Object.keys({ ...described.dependencies, ...described.devDependencies });
  t.deepEqual(
    all.filter((name) => !name.startsWith('@types/') && !text.includes(`\`${name}\``)),
    [],
  );
});
