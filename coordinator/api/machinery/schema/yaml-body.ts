// A request's YAML as JSON, read as Kubernetes reads it: YAML 1.1 (`y`, `yes`, `on` are booleans,
// `0755` is octal), merge keys, one document, no timestamps and no numbers of base 60.
//
//   Y1. Aliases are bounded: a small text never becomes a huge object.

import {
  isAlias,
  isCollection,
  Lexer,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
} from 'yaml';
import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';
import { tooLargeBecause } from '../answer/status-error.ts';

/** The text is no YAML; the message begins as Go's: `yaml: line 2: ...`. */
export class YamlSyntaxError extends Error {
  override readonly name = 'YamlSyntaxError';
}

export interface ParsedYaml {
  readonly value: Json;
  /** Such as `line 3: key "x" already set in map`. */
  readonly duplicates: readonly string[];
}

const aliasesMax = 100;
// The library parses at one go, and takes some 20 us for each key and value. What is larger is
// sent as JSON, as kubectl and client libraries send everything.
const charactersMax = 256 * 1024;
const scalarsMax = 2_500;
// With indents, indicators, comments and ends of lines.
const lexemesMax = 10 * scalarsMax;
// Of brackets: 50,000 braces end the process, in a regular expression that the library makes.
const depthMax = 100;
// Go's yaml.v2 leaves these as plain text or refuses them.
const foreignTags: ReadonlySet<string> = new Set(
  ['timestamp', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
);

/** The first document, as Kubernetes takes no notice of others; null when there is none. */
export function parseYamlBody(text: string): ParsedYaml {
  refuseLong(text);
  refuseMany(text);
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    merge: true,
    lineCounter,
    // It would copy the line into each error: 100,000 quotes on one line took it a minute.
    prettyErrors: false,
    // Warnings would go to standard error, with the text of the body.
    logLevel: 'error',
    customTags: (tags) =>
      tags.filter(
        (tag) => typeof tag === 'string' || !(foreignTags.has(tag.tag) || tag.format === 'TIME'),
      ),
  });
  const [document] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return { value: null, duplicates: [] };
  const duplicates: string[] = [];
  for (const error of document.errors) {
    const { line } = lineCounter.linePos(error.pos[0]);
    if (error.code !== 'DUPLICATE_KEY') throw new YamlSyntaxError(toGoError(error, line));
    const [key = ''] = /^[^\s:,}\]]+|^"[^"]*"|^'[^']*'/.exec(text.slice(error.pos[0])) ?? [];
    const name = JSON.stringify(key.replace(/^["']|["']$/g, ''));
    duplicates.push(`line ${line}: key ${name} already set in map`);
  }
  refuseOddNodes(document, text);
  return { value: toPlain(toJs(document)), duplicates };
}

/** Throws 413. Asked also before a text goes to a thread: to copy 3 MB there takes 12 ms. */
export function refuseLong(text: string): void {
  if (text.length <= charactersMax) return;
  throw tooLargeBecause(`limit of YAML is ${charactersMax}; send JSON`);
}

/** The lexer takes a tenth of the time of the whole, and is stopped as soon as it is clear. */
function refuseMany(text: string): void {
  let [lexemes, scalars, depth] = [0, 0, 0];
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexeme === scalarMark) scalars += 1;
    if (lexeme === '{' || lexeme === '[') depth += 1;
    if (lexeme === '}' || lexeme === ']') depth -= 1;
    if (depth > depthMax) throw new YamlSyntaxError('yaml: exceeded max depth');
    if (scalars > scalarsMax || lexemes > lexemesMax) {
      throw tooLargeBecause(`limit of YAML is ${scalarsMax} keys and values; send JSON`);
    }
  }
}

// The lexer puts it before each scalar.
const scalarMark = '\u001f';

/** A map or a list is no key; the library would make its text one. No value can hold itself. */
function refuseOddNodes(document: Document, text: string): void {
  visit(document, {
    Alias: (_key, alias, path) => {
      const node = alias.resolve(document);
      if (node === undefined || !path.includes(node)) return;
      throw new YamlSyntaxError(`yaml: anchor '${alias.source}' value contains itself`);
    },
    Pair: (_key, { key }) => {
      const node = isAlias(key) ? key.resolve(document) : key;
      if (!isCollection(node)) return;
      const [start = 0, end = start] = node.range ?? [];
      throw new YamlSyntaxError(`yaml: invalid map key: ${text.slice(start, end)}`);
    },
  });
}

/** The words of Go's parser for what people get wrong most; else the library's own. */
function toGoError(
  error: { readonly code: string; readonly message: string },
  line: number,
): string {
  const where = `yaml: line ${line}: `;
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return `${where}found a tab character that violates indentation`;
    case 'BAD_INDENT':
    case 'BLOCK_IN_FLOW':
      return error.message.startsWith('Flow')
        ? `${where}did not find expected node content`
        : `${where}did not find expected key`;
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'yaml: mapping values are not allowed in this context';
    case 'BAD_SCALAR_START':
      return 'yaml: found character that cannot start any token';
    default:
      return `${where}${error.message.split(' at line ')[0] ?? error.message}`;
  }
}

function toJs(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'unreadable';
    const name = /^Unresolved alias .*: (.*)$/.exec(message)?.[1];
    const problem = message.startsWith('Excessive alias')
      ? 'document contains excessive aliasing'
      : name === undefined
        ? message
        : `unknown anchor '${name}' referenced`;
    throw new YamlSyntaxError(`yaml: ${problem}`, { cause: error });
  }
}

/** Only what JSON can say. */
function toPlain(value: unknown): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0; // JSON writes -0 as 0
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (isList(value)) return value.map(toPlain);
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]));
  }
  throw new YamlSyntaxError('yaml: a value that JSON cannot express');
}
