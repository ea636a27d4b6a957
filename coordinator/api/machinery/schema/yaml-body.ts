// A request's YAML as JSON, read as Kubernetes reads it: YAML 1.1 (`y`, `yes`, `on` are booleans,
// `0755` is octal), merge keys, one document, no timestamps and no numbers of base 60.
//
//   Y1. Aliases are bounded: a small text never becomes a huge object.

import { parseAllDocuments } from 'yaml';
import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';
import type { ParsedJson } from './json-strict.ts';

/** The text is no YAML, or not one document. */
export class YamlSyntaxError extends Error {
  override readonly name = 'YamlSyntaxError';
}

const aliasesMax = 100;
// Go's yaml.v2 leaves these as plain text or refuses them.
const foreignTags: ReadonlySet<string> = new Set(
  ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
);

/** The value, and a text for each duplicate key, such as `line 3: key "x" already set in map`. */
export function parseYamlBody(text: string): ParsedJson {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    merge: true,
    customTags: (tags) =>
      tags.filter(
        (tag) => typeof tag === 'string' || !(foreignTags.has(tag.tag) || tag.format === 'TIME'),
      ),
  });
  const [document, ...others] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return { value: null, duplicates: [] };
  if (others.length > 0) throw new YamlSyntaxError('expected a single document in the stream');
  const duplicates: string[] = [];
  for (const error of document.errors) {
    const line = error.linePos?.[0].line ?? 0;
    if (error.code !== 'DUPLICATE_KEY')
      throw new YamlSyntaxError(`yaml: line ${line}: ${reason(error.message)}`);
    duplicates.push(`line ${line}: key already set in map`);
  }
  return { value: toPlain(toJs(document)), duplicates };
}

function toJs(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    throw new YamlSyntaxError(`yaml: ${error instanceof Error ? error.message : 'unreadable'}`, {
      cause: error,
    });
  }
}

function reason(message: string): string {
  return message.split(' at line ')[0] ?? message;
}

/** Only what JSON can say. */
function toPlain(value: unknown): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (isList(value)) return value.map(toPlain);
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]));
  }
  throw new YamlSyntaxError('yaml: a value that JSON cannot express');
}
