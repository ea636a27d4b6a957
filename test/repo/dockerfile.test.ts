// No container engine runs here, so the Dockerfile is held to what can be read in it.

import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { coordinatorProgram } from '../../coordinator/settings/settings.ts';
import { readSettings } from '../../common/runtime/settings.ts';
import { copiesOf, readDockerfile } from '../support/image-root.ts';

const { stages } = readDockerfile();
const last = stages.at(-1);
const stepsOf = (verb: string): readonly string[] =>
  (last?.steps ?? []).filter((step) => step.verb === verb).map(({ rest }) => rest);

test('every base image of the Dockerfile names its version', (t) => {
  t.deepEqual(
    stages.map(({ base }) => base).filter((base) => !/:/.test(base) || base.endsWith(':latest')),
    [],
  );
});

test('every path that the Dockerfile copies from the checkout is there, and not left out of it', (t) => {
  const ignored = new Set(readFileSync('.dockerignore', 'utf8').split('\n'));
  const paths = stages.flatMap((stage) =>
    copiesOf(stage).flatMap(({ from, sources }) => (from === undefined ? sources : [])),
  );
  t.true(paths.length > 5);
  t.deepEqual(
    paths.filter((path) => !existsSync(path) || ignored.has(path)),
    [],
  );
});

test('every stage that the Dockerfile copies from is there, and every folder it takes is built', (t) => {
  const names = new Set(stages.map(({ name }) => name));
  const copies = last === undefined ? [] : copiesOf(last);
  const built = copies.flatMap(({ from, sources }) => (from === 'build' ? sources : []));
  t.deepEqual(
    copies.filter(({ from }) => from !== undefined && !names.has(from)),
    [],
  );
  t.deepEqual(
    built.map((path) => path.replace('/src/', '')).filter((path) => !existsSync(path)),
    [],
  );
});

test('everything that tsconfig.json compiles is copied to where it is compiled', (t) => {
  const { include } = JSON.parse(readFileSync('tsconfig.json', 'utf8')) as { include: string[] };
  const [build] = stages;
  const copied = new Set(
    build === undefined ? [] : copiesOf(build).flatMap(({ sources }) => sources),
  );
  t.deepEqual(
    include.filter((folder) => !copied.has(folder)),
    [],
  );
});

test('the image runs as a user by number that is not root, and downloads nothing by hand', (t) => {
  t.deepEqual(stepsOf('USER'), ['1000:1000']);
  const runs = stages.flatMap(({ steps }) => steps.map(({ verb, rest }) => `${verb} ${rest}`));
  t.deepEqual(
    runs.filter((run) => /^ADD |curl|wget|sudo/.test(run)),
    [],
  );
  const installs = runs.filter((run) => run.includes('apt-get install'));
  t.true(installs.every((run) => /--no-install-recommends/.test(run) && /apt\/lists/.test(run)));
});

test('the image starts the coordinator with settings that exist', (t) => {
  const [program, ...argv] = parse(stepsOf('CMD')[0] ?? '[]') as string[];
  t.is(program, 'isthmus-coordinator');
  t.is(readSettings(coordinatorProgram('0'), { argv, env: {} }).kind, 'run');
});
