// Bodies: JSON against JSON.parse, YAML against the library's own reading of JSON, protobuf made of
// golden messages and of random fields, DeleteOptions in all three.

import fc from 'fast-check';
import type { JsonObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { parseDeleteOptions } from '../../coordinator/api/machinery/request/delete-options.ts';
import {
  decodeObject,
  protobufMediaType,
  type BodyMediaType,
} from '../../coordinator/api/machinery/schema/decode.ts';
import {
  JsonBudgetError,
  JsonSyntaxError,
  parseJsonStrict,
} from '../../coordinator/api/machinery/schema/json-strict.ts';
import {
  parseYamlBody,
  YamlSyntaxError,
} from '../../coordinator/api/machinery/schema/yaml-body.ts';
import { isNumbered } from '../../coordinator/api/machinery/protobuf/protobuf-body.ts';
import { kinds, serviceKind } from '../support/api-service.ts';
import { toEnvelope } from '../support/protobuf-encoder.ts';
import { goBodies } from '../support/protobuf-golden.ts';
import { anyJson, damaged, textOf } from './inputs.ts';
import { attempt, law, type FuzzTarget } from './target.ts';

const jsonPieces = ['{', '}', '[', ']', ':', ',', '"', '"a":', '"__proto__":', '1', '-', '.', 'e9'];
const jsonTexts = fc.oneof(
  anyJson.map((value) => JSON.stringify(value)),
  fc.json(),
  textOf([...jsonPieces, 'null', 'true', '"\\u', 'd800', '"\\ud83d\\ude00"', '\\', ' ', '\n']),
  damaged(anyJson.map((value) => Buffer.from(JSON.stringify(value)))).map((bytes) =>
    Buffer.from(bytes).toString('utf8'),
  ),
);

const isNoJson = (error: unknown): boolean =>
  error instanceof JsonSyntaxError || error instanceof SyntaxError;

export const jsonTarget: FuzzTarget = {
  name: 'json',
  laws: [
    law(
      'reads and refuses what JSON.parse does',
      fc.property(jsonTexts, (text) => {
        const ours = attempt(() => ({ value: parseJsonStrict(text).value }), isNoJson);
        const oracle = attempt(() => ({ value: toWellFormed(JSON.parse(text)) }), isNoJson);
        const [a, b] = [ours, oracle].map((each) => JSON.stringify(each));
        if (a !== b) throw new Error(`${a} is not JSON.parse's ${b}`);
      }),
    ),
    law(
      'bounds depth and number of values',
      fc.property(
        fc.constantFrom('[', '{"a":', '[{"":'),
        fc.nat({ max: 20_000 }),
        (open, count) => {
          attempt(
            () => parseJsonStrict(open.repeat(count)),
            (error) => isNoJson(error) || error instanceof JsonBudgetError,
          );
        },
      ),
    ),
    decoding(
      'application/json',
      jsonTexts.map((text) => Buffer.from(text)),
    ),
  ],
};

/** Half of a pair is no character: Go has U+FFFD there, and so have we. */
function toWellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\ufffd');
  if (Array.isArray(value)) return value.map(toWellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [toWellFormed(key), toWellFormed(member)]),
  );
}

function decoding(
  mediaType: BodyMediaType,
  bodies: fc.Arbitrary<Uint8Array>,
): ReturnType<typeof law> {
  const takers = kinds.filter(
    ({ schema }) => mediaType !== protobufMediaType || isNumbered(schema),
  );
  // By name, so that a failing case can be read.
  const kind = fc.constantFrom(...takers.map((each) => `${each.group}/${each.kind}`));
  const validation = fc.constantFrom('Strict', 'Warn', 'Ignore');
  return law(
    `${mediaType} is an object of the kind or refused`,
    fc.property(bodies, kind, validation, (bytes, name, how) => {
      const of = takers.find((each) => `${each.group}/${each.kind}` === name) ?? serviceKind;
      const read = attempt(
        () => decodeObject({ bytes, mediaType, kind: of, validation: how }).object,
      );
      if (read !== undefined && read.kind !== of.kind) throw new Error(`a ${read.kind}`);
    }),
  );
}

const yamlPieces = [
  'a',
  ': ',
  ':\n  ',
  '- ',
  '\n',
  ' ',
  '&x ',
  '*x',
  '<<: ',
  '{',
  '}',
  '[',
  ']',
  '|\n',
];
const yamlTexts = fc.oneof(
  textOf([
    ...yamlPieces,
    '>-\n',
    '!!',
    '!!binary ',
    '!!timestamp ',
    '---\n',
    '...\n',
    '? ',
    '#',
    '\t',
  ]),
  textOf(['y', 'yes', 'on', '0x1f', '0755', '1e3', '1:20', '.inf', '.nan', '~', ': ', '\n', '- ']),
  damaged(anyJson.map((value) => Buffer.from(JSON.stringify(value)))).map((bytes) =>
    Buffer.from(bytes).toString('utf8'),
  ),
);
const isNoYaml = (error: unknown): boolean => error instanceof YamlSyntaxError;
/** Of JSON, what YAML 1.1 means the same by. */
const plainJson = fc.json({ stringUnit: 'grapheme-ascii', maxDepth: 4, noUnicodeString: true });

export const yamlTarget: FuzzTarget = {
  name: 'yaml',
  laws: [
    law(
      'any text is a value that JSON can say, or refused',
      fc.property(yamlTexts, (text) => {
        const read = attempt(() => parseYamlBody(text), isNoYaml);
        if (read !== undefined && JSON.stringify(read.value) === undefined) throw new Error(text);
      }),
    ),
    law(
      'JSON in YAML is that JSON',
      fc.property(plainJson, (text) => {
        const oracle: unknown = JSON.parse(text);
        // A long key is no implicit key of YAML, and << merges.
        fc.pre(!/"<<"|[^"]{1000}|[eE]/.test(text));
        const ours = attempt(() => parseYamlBody(text), isNoYaml);
        if (JSON.stringify(ours?.value) !== JSON.stringify(oracle)) {
          throw new Error(`${JSON.stringify(ours?.value)} is not ${text}`);
        }
      }),
    ),
    decoding(
      'application/yaml',
      yamlTexts.map((text) => Buffer.from(text)),
    ),
  ],
};

const golden = fc
  .constantFrom(...Object.values(goBodies))
  .map(({ body }): Uint8Array => Buffer.from(body, 'base64'));

const varint = fc.oneof(
  fc.constantFrom([0], [1], [127], [255, 255, 255, 255, 15]),
  fc.constantFrom([255, 255, 255, 255, 255, 255, 255, 255, 255, 1], Array<number>(12).fill(255)),
  fc.array(fc.nat({ max: 255 }), { minLength: 1, maxLength: 11 }),
);
/** Fields with any wire type, and lengths that lie. */
const wireField = fc
  .tuple(fc.nat({ max: 20 }), fc.nat({ max: 7 }), varint, fc.uint8Array({ maxLength: 10 }))
  .map(
    ([number, type, length, rest]): Uint8Array =>
      Buffer.from([(number << 3) | type, ...length, ...rest].map((each) => each & 255)),
  );
const wireMessage = fc.array(wireField, { maxLength: 6 }).map((parts) => Buffer.concat(parts));
const typeMeta = Buffer.from('\n\x02v1\x12\x07Service');

function nest(depth: number, number: number): Uint8Array {
  let inner: Uint8Array = Buffer.alloc(0);
  for (let level = 0; level < depth; level += 1) {
    const size = inner.length;
    const length = size < 128 ? [size] : [(size & 127) | 128, (size >> 7) & 127];
    inner = Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), inner]);
  }
  return inner;
}

const protobufBodies = fc.oneof(
  damaged(golden, 5),
  wireMessage.map((raw) => toEnvelope(typeMeta, raw)),
  fc
    .tuple(fc.nat({ max: 2000 }), fc.integer({ min: 1, max: 15 }))
    .map(([depth, number]) => toEnvelope(typeMeta, nest(depth, number))),
  fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.concat([Buffer.from('k8s\0'), raw])),
);

export const protobufTarget: FuzzTarget = {
  name: 'protobuf',
  laws: [
    decoding(protobufMediaType, protobufBodies),
    law(
      'what is decoded is decoded again from its JSON',
      fc.property(protobufBodies, (bytes) => {
        const read = (body: Uint8Array, mediaType: BodyMediaType): object | undefined =>
          attempt(
            () =>
              decodeObject({ bytes: body, mediaType, kind: serviceKind, validation: 'Ignore' })
                .object,
          );
        const first = read(bytes, protobufMediaType);
        if (first === undefined) return;
        const text = toCanonicalJson(first);
        const second = toCanonicalJson(read(Buffer.from(text), 'application/json'));
        if (second !== text) throw new Error(`${text} became ${second}`);
      }),
    ),
  ],
};

const deleteMembers: fc.Arbitrary<JsonObject> = fc.record(
  {
    kind: fc.oneof(fc.constantFrom('DeleteOptions', 'Service', ''), anyJson),
    apiVersion: fc.oneof(fc.constantFrom('v1', 'meta.k8s.io/v1', 'x/y/z'), anyJson),
    propagationPolicy: fc.oneof(fc.constantFrom('Background', 'Orphan', 'Foreground'), anyJson),
    gracePeriodSeconds: anyJson,
    orphanDependents: fc.oneof(fc.boolean(), anyJson),
    preconditions: anyJson,
    dryRun: fc.oneof(fc.constant(['All']), anyJson),
  },
  { requiredKeys: [] },
);

export const deleteOptionsTarget: FuzzTarget = {
  name: 'delete-options',
  laws: (['application/json', 'application/yaml', protobufMediaType] as const).map((mediaType) =>
    law(
      `DeleteOptions as ${mediaType}`,
      fc.property(
        mediaType === protobufMediaType
          ? fc.oneof(
              protobufBodies,
              wireMessage.map((raw) => toEnvelope(typeMeta, raw)),
            )
          : damaged(
              deleteMembers.map((value) => Buffer.from(JSON.stringify(value))),
              1,
            ),
        fc.webQueryParameters(),
        (bytes, query) => {
          attempt(() => parseDeleteOptions(bytes, new URLSearchParams(query), mediaType));
        },
      ),
    ),
  ),
};
