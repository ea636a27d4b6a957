// What is long is read in slices or elsewhere before it is decoded, and is the same then.

import test from 'ava';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import {
  JsonSyntaxError,
  membersMax,
  parseJsonStrict,
} from '../../coordinator/api/machinery/schema/json-strict.ts';
import {
  parseAhead,
  toParsedJson,
  toParsedYaml,
  type BodyFormat,
  type ReadYaml,
} from '../../coordinator/api/machinery/schema/parse-ahead.ts';
import {
  parseYamlBody,
  YamlSyntaxError,
} from '../../coordinator/api/machinery/schema/yaml-body.ts';
import { toBytes } from '../support/api-service.ts';

const noTurn = (): Promise<void> => Promise.resolve();

test('P1 a body parsed ahead is the same, and others get their turn meanwhile', async (t) => {
  const text = `{"metadata":{"name":"a"},"x":[${'1,'.repeat(40_000)}1]}`;
  let turns = 0;
  const ahead = await parseAhead({ bytes: toBytes(text), format: 'json' }, () => {
    turns += 1;
    return Promise.resolve();
  });
  t.deepEqual(ahead, { json: parseJsonStrict(text) });
  t.true(turns >= 10, String(turns));
  t.is(await parseAhead({ bytes: toBytes('{}'), format: 'json' }, noTurn), undefined);
});

test('YAML that is too long is refused here, and not copied to whoever reads it elsewhere', async (t) => {
  let reads = 0;
  const readYaml: ReadYaml = (text) => {
    reads += 1;
    return Promise.resolve(parseYamlBody(text));
  };
  const bytes = toBytes(`a: ${'x'.repeat(3 << 20)}`);
  for (const format of ['yaml', 'apply'] as const) {
    const refused = await t.throwsAsync(parseAhead({ bytes, format }, noTurn, readYaml), {
      instanceOf: ApiError,
    });
    t.is(refused?.code, 413);
  }
  t.is(reads, 0);
});

test('J1 of an object with too many members no more is read', async (t) => {
  const toBody = (count: number): Uint8Array =>
    toBytes(JSON.stringify({ labels: Object.fromEntries(Array.from({ length: count }, toPair)) }));
  const ahead = await parseAhead({ bytes: toBody(membersMax), format: 'json' }, noTurn);
  t.false(ahead?.json instanceof Error);
  let turns = 0;
  const reading = parseAhead({ bytes: toBody(49_000), format: 'json' }, () => {
    turns += 1;
    return Promise.resolve();
  });
  const refused = await t.throwsAsync(reading, { instanceOf: ApiError });
  t.is(refused?.code, 413);
  t.is(refused?.message, 'Request entity too large: more than 10000 members of one object');
  t.true(turns <= membersMax / 1_000, String(turns));
});

function toPair(_: unknown, index: number): readonly [string, string] {
  return [`label-${index}`, 'x'];
}

test('P1, P2 a long body that breaks off is not read again to say so', async (t) => {
  const text = ` {"a":[${'1,'.repeat(20_000)}`;
  const ahead = await parseAhead({ bytes: toBytes(text), format: 'json' }, noTurn);
  t.true(ahead?.json instanceof JsonSyntaxError);
  const error = t.throws(() => toParsedJson(new Uint8Array(), ahead), {
    instanceOf: JsonSyntaxError,
  });
  t.is(error?.message, 'unexpected end of JSON input');
});

for (const [what, letters] of [
  ['of escapes', '\\n'],
  ['of quotes', '\\"'],
  ['of backslashes', '\\\\'],
  ['of characters beyond the first plane', '\\ud83d\\ude00'],
  ['plain', 'x'],
  ['plain but for its end', 'xxxxxxxx\\t'],
] as const) {
  test(`P1 a long string ${what} is read in pieces, as a key too`, async (t) => {
    const long = letters.repeat(300_000);
    for (const text of [`{"${long}":{"a":"x${long}"}}`, `["xx${long}","${long}"]`]) {
      let turns = 0;
      const ahead = await parseAhead({ bytes: toBytes(text), format: 'json' }, () => {
        turns += 1;
        return Promise.resolve();
      });
      t.true(toParsedJson(new Uint8Array(), ahead).value !== null);
      t.is(
        JSON.stringify(toParsedJson(new Uint8Array(), ahead).value),
        JSON.stringify(JSON.parse(text)),
      );
      if (what !== 'plain') t.true(turns >= 4, String(turns));
    }
  });
}

test('P1 what is wrong in a long string is said as of a short one', (t) => {
  for (const [end, message] of [
    ['\\x"]', "invalid character 'x' in string escape code"],
    ['\n"]', "invalid character '\\n' in string literal"],
    ['\\u12"]', "invalid character '\"' in \\u hexadecimal character escape"],
    ['', 'unexpected end of JSON input'],
    ['\\', 'unexpected end of JSON input'],
  ] as const) {
    const error = t.throws(() => parseJsonStrict(`["${'\\n'.repeat(200_001)}${end}`), {
      instanceOf: JsonSyntaxError,
    });
    t.is(error?.message, message);
  }
});

test('P1 half of a pair between two pieces is no character, a pair is one', (t) => {
  for (let before = 0; before < 14; before += 1) {
    const head = 'x'.repeat(before);
    const read = (text: string) => parseJsonStrict(`"${text}"`).value;
    const many = 40_000;
    t.is(read(`${head}${'\\ud83d\\ude00'.repeat(many)}`), `${head}${'\u{1f600}'.repeat(many)}`);
    t.is(read(`${head}${'\\ud83d'.repeat(many)}`), `${head}${'\ufffd'.repeat(many)}`);
  }
});

const longYaml = `apiVersion: v1\ndata:\n${Array.from({ length: 200 }, (_, i) => `  k${i}: v`).join('\n')}`;

test('P1 long YAML is read elsewhere, short YAML and JSON that is applied are not', async (t) => {
  const asked: string[] = [];
  const readYaml: ReadYaml = (text) => {
    asked.push(text);
    return Promise.resolve(parseYamlBody(text));
  };
  const ahead = (text: string, format: BodyFormat) =>
    parseAhead({ bytes: toBytes(text), format }, noTurn, readYaml);
  t.deepEqual(await ahead(longYaml, 'yaml'), { yaml: parseYamlBody(longYaml) });
  t.deepEqual(await ahead(longYaml, 'apply'), { yaml: parseYamlBody(longYaml) });
  t.is(asked.length, 2);
  t.is(await ahead('a: b', 'yaml'), undefined);
  const json = `{"a":"${'x'.repeat(2_000)}"}`;
  t.deepEqual(await ahead(json, 'apply'), { json: parseJsonStrict(json) });
  t.is(asked.length, 2);
  const doubled = json.replace('}', ',"a":"b"}');
  t.deepEqual(await ahead(doubled, 'apply'), {
    json: parseJsonStrict(doubled),
    yaml: parseYamlBody(doubled),
  });
  const flow = `{a: ${'x'.repeat(2_000)}}`;
  t.deepEqual((await ahead(flow, 'apply'))?.yaml, parseYamlBody(flow));
  t.is(asked.length, 4);
});

test('P1 what is wrong in long YAML is told where it is decoded', async (t) => {
  const text = `${longYaml}\n bad: [`;
  const ahead = await parseAhead({ bytes: toBytes(text), format: 'yaml' }, noTurn);
  t.true(ahead?.yaml instanceof YamlSyntaxError);
  const error = t.throws(() => toParsedYaml(new Uint8Array(), ahead));
  t.deepEqual(error?.message, t.throws(() => parseYamlBody(text))?.message);
  const many = 'k: v\n'.repeat(3_000);
  await t.throwsAsync(parseAhead({ bytes: toBytes(many), format: 'apply' }, noTurn), {
    message: /limit of YAML/,
  });
});
