// v1 ConfigMap and Secret: keys and values that programs are configured with.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import {
  forbiddenField,
  invalidValue,
  required,
  tooLong,
} from '../machinery/rules/field-errors.ts';
import {
  jsonEquals,
  own,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
  withMember,
} from '../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../machinery/kind.ts';
import { objectSchema } from './common-schema.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { loggedKind } from './definition.ts';
import { bytes, flag, kept, text, textMap } from './schema-parts.ts';
import type { Schema } from '../machinery/schema/schema.ts';

const dataBytesMax = 1024 * 1024;
const immutableNote = 'True forbids every later change of the data.';

function byteMap(description: string): Schema {
  return { type: 'map', description, values: bytes('The value of one key, in base64.') };
}

const configMapDescription = 'Configuration as keys and values, for programs to read.';

export const configMapKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  description: configMapDescription,
  schema: objectSchema(
    'ConfigMap',
    configMapDescription,
    {
      data: textMap('Values that are text.'),
      binaryData: byteMap('Values that are bytes, in base64.'),
      immutable: kept(flag(immutableNote)),
    },
    { protobuf: { metadata: 1, data: 2, binaryData: 3, immutable: 4 } },
  ),
  columns: [nameColumn, column('Data', 'Number of keys.', countKeys), ageColumn],
  validate: (object) => {
    const map = toJsonObject(object);
    const data = ownRecord(map, 'data');
    const binary = ownRecord(map, 'binaryData');
    const both = Object.keys(binary).filter((key) => Object.hasOwn(data, key));
    return [
      ...checkKeys(data, 'data'),
      ...checkKeys(binary, 'binaryData'),
      ...both.map((key) =>
        invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'),
      ),
      ...checkSize(
        [
          { map: data, isBase64: false },
          { map: binary, isBase64: true },
        ],
        '[]', // so Go's path prints that has no name
      ),
    ];
  },
  validateUpdate: (next, old) =>
    refuseImmutable(toJsonObject(next), toJsonObject(old), ['data', 'binaryData']),
});

const secretDescription = 'Confidential keys and values. Encrypted where they are stored.';

export const secretKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  isConfidential: true,
  description: secretDescription,
  schema: objectSchema(
    'Secret',
    secretDescription,
    {
      data: byteMap('The values, in base64.'),
      stringData: textMap('Values given as plain text; write-only, they end up in data.'),
      type: text('What the secret is for, such as kubernetes.io/tls. Default: Opaque.'),
      immutable: kept(flag(immutableNote)),
    },
    { protobuf: { metadata: 1, data: 2, type: 3, stringData: 4, immutable: 5 } },
  ),
  columns: [
    nameColumn,
    column('Type', 'What the secret is for.', (secret) => ownText(secret, 'type')),
    column('Data', 'Number of keys.', countKeys),
    ageColumn,
  ],
  fieldSelectors: { type: (secret) => ownText(toJsonObject(secret), 'type') },
  setDefaults: (object) => toKubeObject(mergeStringData(toJsonObject(object))),
  validate: (object) => {
    const secret = toJsonObject(object);
    const data = ownRecord(secret, 'data');
    return [
      ...checkKeys(data, 'data'),
      ...checkSize([{ map: data, isBase64: true }], 'data'),
      ...checkSecretType(secret),
    ];
  },
  validateUpdate: (next, old) => {
    const type = ownText(toJsonObject(next), 'type');
    const changed =
      type === ownText(toJsonObject(old), 'type')
        ? []
        : [invalidValue('type', type, 'field is immutable')];
    return [...changed, ...refuseImmutable(toJsonObject(next), toJsonObject(old), ['data'])];
  },
});

/** What each built-in type of Secret must hold (pkg/apis/core/validation, ValidateSecret). */
function checkSecretType(secret: JsonObject): readonly FieldError[] {
  const data = ownRecord(secret, 'data');
  const missing = (...keys: readonly string[]): readonly FieldError[] =>
    keys.filter((key) => own(data, key) === undefined).map((key) => required(`data[${key}]`));
  switch (ownText(secret, 'type')) {
    case 'kubernetes.io/service-account-token': {
      const key = 'kubernetes.io/service-account.name';
      const annotations = ownRecord(ownRecord(secret, 'metadata'), 'annotations');
      return ownText(annotations, key) === '' ? [required(`metadata.annotations[${key}]`)] : [];
    }
    case 'kubernetes.io/dockercfg':
      return checkJsonData(data, '.dockercfg');
    case 'kubernetes.io/dockerconfigjson':
      return checkJsonData(data, '.dockerconfigjson');
    case 'kubernetes.io/basic-auth': {
      const both = missing('username', 'password');
      return both.length === 2 ? both : [];
    }
    case 'kubernetes.io/ssh-auth':
      return ownText(data, 'ssh-privatekey') === '' ? [required('data[ssh-privatekey]')] : [];
    case 'kubernetes.io/tls':
      return missing('tls.crt', 'tls.key');
    default:
      return [];
  }
}

function checkJsonData(data: JsonObject, key: string): readonly FieldError[] {
  const value = own(data, key);
  if (value === undefined) return [required(`data[${key}]`)];
  const text = Buffer.from(String(value), 'base64').toString('utf8');
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && !Array.isArray(parsed)) return [];
  } catch {
    // Said below; what the parser says could repeat the secret.
  }
  const why = text === '' ? 'unexpected end of JSON input' : 'must be a JSON object';
  return [invalidValue(`data[${key}]`, '<secret contents redacted>', why)];
}

function mergeStringData(secret: JsonObject): JsonObject {
  const plain = Object.entries(ownRecord(secret, 'stringData')).map(
    ([key, value]) => [key, Buffer.from(String(value), 'utf8').toString('base64')] as const,
  );
  const rest = withMember(secret, 'stringData', undefined);
  const typed = { ...rest, type: ownText(secret, 'type') || 'Opaque' };
  if (plain.length === 0) return typed;
  return { ...typed, data: { ...ownRecord(secret, 'data'), ...Object.fromEntries(plain) } };
}

function countKeys(object: JsonObject): number {
  return [ownRecord(object, 'data'), ownRecord(object, 'binaryData')]
    .map((map) => Object.keys(map).length)
    .reduce((sum, count) => sum + count, 0);
}

function checkKeys(map: JsonObject, field: string): readonly FieldError[] {
  return Object.keys(map).flatMap((key) => {
    const isLegal =
      /^[-._a-zA-Z0-9]+$/.test(key) && key.length <= 253 && key !== '.' && !key.startsWith('..');
    if (isLegal) return [];
    const detail =
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. " +
      "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    return [invalidValue(`${field}[${key}]`, key, detail)];
  });
}

interface SizedMap {
  readonly map: JsonObject;
  readonly isBase64: boolean;
}

/** The limit is on the bytes that the values stand for. */
function checkSize(maps: readonly SizedMap[], field: string): readonly FieldError[] {
  const total = maps.reduce<number>((sum, { map, isBase64 }) => {
    const sizes = Object.values(map).map((value) =>
      Buffer.byteLength(String(value), isBase64 ? 'base64' : 'utf8'),
    );
    return sum + sizes.reduce((all, size) => all + size, 0);
  }, 0);
  return total > dataBytesMax ? [tooLong(field, dataBytesMax)] : [];
}

function refuseImmutable(
  next: JsonObject,
  old: JsonObject,
  fields: readonly string[],
): readonly FieldError[] {
  if (own(old, 'immutable') !== true) return [];
  const detail = 'field is immutable when `immutable` is set';
  return [
    ...(own(next, 'immutable') === true ? [] : [forbiddenField('immutable', detail)]),
    ...fields
      .filter((field) => !jsonEquals(ownRecord(next, field), ownRecord(old, field)))
      .map((field) => forbiddenField(field, detail)),
  ];
}
