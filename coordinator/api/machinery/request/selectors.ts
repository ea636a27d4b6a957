// Label and field selectors: text in, a test of objects out. Pure.
//
//   L1. A selector that does not parse is refused; it never selects everything.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../kind.ts';
import { checkLabelValue, checkQualifiedName } from '../rules/name-rules.ts';
import { badRequest } from '../answer/status-error.ts';

export type LabelMatcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;
export type FieldMatcher = (object: KubeObject) => boolean;

type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<';

interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

const token = /\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)/y;

/** Everything for empty text. Throws 400 `unable to parse requirement: ...`. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = new LabelParser(text).parse();
  return (labels = {}) => requirements.every((requirement) => matches(requirement, labels));
}

function matches(requirement: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const { key, operator, values } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case '>':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case '<':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^[+-]?\d{1,19}$/.test(text) && !text.startsWith('+');
}

class LabelParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  parse(): readonly Requirement[] {
    const requirements: Requirement[] = [];
    if (this.#tokens.length === 0) return requirements;
    for (;;) {
      requirements.push(this.#requirement());
      const next = this.#next();
      if (next === undefined) return requirements;
      if (next !== ',') refuse(`found '${next}', expected: ',' or 'end of string'`);
      if (this.#peek() === undefined) refuse("found '', expected: identifier after ','");
    }
  }

  #requirement(): Requirement {
    if (this.#peek() === '!') {
      this.#at += 1;
      return { key: this.#key(), operator: '!', values: [] };
    }
    const key = this.#key();
    const operator = this.#peek();
    if (operator === undefined || operator === ',') return { key, operator: 'exists', values: [] };
    this.#at += 1;
    switch (operator) {
      case '=':
      case '==':
        return { key, operator: '=', values: [this.#value()] };
      case '!=':
        return { key, operator: '!=', values: [this.#value()] };
      case 'in':
      case 'notin':
        return { key, operator, values: this.#values() };
      case '>':
      case '<':
        return { key, operator, values: [this.#number(operator)] };
      default:
        return refuse(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #key(): string {
    const key = this.#next();
    if (key === undefined || isPunctuation(key)) {
      refuse(`found '${key ?? ''}', expected: !, identifier, or 'end of string'`);
    }
    const wrong = checkQualifiedName(key);
    if (wrong !== undefined) refuse(`key: Invalid value: ${JSON.stringify(key)}: ${wrong}`);
    return key;
  }

  /** `key=` is a comparison with the empty value. */
  #value(): string {
    const value = this.#peek();
    if (value === undefined || value === ',') return '';
    this.#at += 1;
    if (isPunctuation(value)) refuse(`found '${value}', expected: identifier`);
    return checkValue(value);
  }

  #number(operator: string): string {
    const value = this.#value();
    if (isInteger(value)) return value;
    return refuse(
      `values[0]: Invalid value: ${JSON.stringify(value)}: for '${operator}' operator, ` +
        'the value must be an integer',
    );
  }

  #values(): readonly string[] {
    if (this.#next() !== '(') refuse("found '', expected: '('");
    const values: string[] = [];
    for (;;) {
      const next = this.#next();
      if (next === undefined) refuse("found '', expected: ',' or ')'");
      if (next === ')') return [...values, ''];
      if (next === ',') {
        values.push('');
        continue;
      }
      if (isPunctuation(next)) refuse(`found '${next}', expected: ',', ')' or identifier`);
      values.push(checkValue(next));
      const after = this.#next();
      if (after === ')') return values;
      if (after !== ',') refuse(`found '${after ?? ''}', expected: ',' or ')'`);
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string | undefined {
    const next = this.#tokens[this.#at];
    this.#at += 1;
    return next;
  }
}

function checkValue(value: string): string {
  const wrong = checkLabelValue(value);
  if (wrong !== undefined) refuse(`values[0]: Invalid value: ${JSON.stringify(value)}: ${wrong}`);
  return value;
}

function tokenize(text: string): readonly string[] {
  const trimmed = text.trimEnd();
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const match = token.exec(trimmed);
    if (match?.[1] === undefined) refuse(`found '${trimmed}', expected: identifier`);
    tokens.push(match[1]);
  }
  return tokens;
}

function isPunctuation(text: string): boolean {
  return /^(==|!=|=|!|\(|\)|,|>|<)$/.test(text);
}

function refuse(why: string): never {
  throw badRequest(`unable to parse requirement: ${why}`);
}

interface FieldTerm {
  readonly read: (object: KubeObject) => string;
  readonly value: string;
  readonly isEqual: boolean;
}

/** Everything for empty text. Throws 400 for a field that the kind cannot be selected by. */
export function parseFieldSelector(text: string, kind: KindDefinition): FieldMatcher {
  const terms = splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(term, kind));
  return (object) =>
    terms.every(({ read, value, isEqual }) => (read(object) === value) === isEqual);
}

/** The name that a field selector pins, for authorization by name. */
export function nameOfFieldSelector(text: string): string | undefined {
  for (const term of splitTerms(text)) {
    const match = /^metadata\.name==?(.+)$/.exec(term);
    if (match?.[1] !== undefined) return unescapeValue(match[1]);
  }
  return undefined;
}

/** Commas split, unless escaped by a backslash. */
function splitTerms(text: string): readonly string[] {
  return text.match(/(?:\\.|[^,\\])+/gs) ?? [];
}

function parseTerm(term: string, kind: KindDefinition): FieldTerm {
  const match = /^((?:\\.|[^\\=!])*?)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) {
    throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
  }
  const [, field = '', operator = '', value = ''] = match;
  return { read: readerOf(field, kind), value: unescapeValue(value), isEqual: operator !== '!=' };
}

function readerOf(field: string, kind: KindDefinition): (object: KubeObject) => string {
  if (field === 'metadata.name') return ({ metadata }) => metadata.name;
  if (field === 'metadata.namespace' && kind.isNamespaced) {
    return ({ metadata }) => metadata.namespace ?? '';
  }
  const read = Object.hasOwn(kind.fieldSelectors, field) ? kind.fieldSelectors[field] : undefined;
  if (read === undefined) throw badRequest(`field label not supported: ${field}`);
  return read;
}

function unescapeValue(text: string): string {
  return text.replace(/\\(.)/gs, '$1');
}
