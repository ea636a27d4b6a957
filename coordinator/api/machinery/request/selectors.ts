// Label and field selectors: text in, a test of objects out. Pure.
//
//   L1. A selector that does not parse is refused; it never selects everything.
//   L2. A test of one object takes microseconds: terms are bounded, the values of one are a set.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../kind.ts';
import { listLabelValueFaults, listQualifiedNameFaults } from '../rules/name-rules.ts';
import { badRequest } from '../answer/status-error.ts';

export type LabelMatcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;
export type FieldMatcher = (object: KubeObject) => boolean;

type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<';

interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** More terms than anybody writes; a header block holds ten thousands (L2). */
const termsMax = 1_000;

const token = /\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)/y;

/** Everything for empty text. Throws 400 `unable to parse requirement: ...`. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = new LabelParser(text)
    .parse()
    .map((requirement) => ({ ...requirement, distinct: new Set(requirement.values) }));
  refuseMany(requirements.length);
  return (labels = {}) => requirements.every((requirement) => matches(requirement, labels));
}

function refuseMany(terms: number): void {
  if (terms > termsMax) throw badRequest(`a selector of ${terms} terms: at most ${termsMax}`);
}

function matches(
  requirement: Requirement & { readonly distinct: ReadonlySet<string> },
  labels: Readonly<Record<string, string>>,
): boolean {
  const { key, operator, values, distinct } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case '=':
    case 'in':
      return value !== undefined && distinct.has(value);
    case '!=':
    case 'notin':
      return value === undefined || !distinct.has(value);
    case '>':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case '<':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^[+-]?\d{1,19}$/.test(text) && !text.startsWith('+');
}

// apimachinery, labels/selector.go: the same grammar and the same refusals.
class LabelParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  parse(): readonly Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const first = this.#peek();
      if (first === '') return requirements;
      if (first !== '!' && isPunctuation(first)) {
        throw badRequest(`found '${first}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#next();
      if (next === '') return requirements;
      if (next !== ',') throw badRequest(`found '${next}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after === '' || (after !== '!' && isPunctuation(after))) {
        throw badRequest(`found '${after}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): Requirement {
    const isAbsent = this.#peek() === '!';
    if (isAbsent) this.#at += 1;
    const key = this.#identifier();
    checkKey(key);
    const operator = this.#peek();
    if (operator === '' || operator === ',') {
      return { key, operator: isAbsent ? '!' : 'exists', values: [] };
    }
    // As upstream, `!key=value` is `key=value`.
    this.#at += 1;
    switch (operator) {
      case '=':
      case '==':
        return { key, operator: '=', values: [this.#value(key)] };
      case '!=':
        return { key, operator: '!=', values: [this.#value(key)] };
      case 'in':
      case 'notin':
        return { key, operator, values: this.#values(key) };
      case '>':
      case '<':
        return { key, operator, values: [this.#number(key)] };
      default:
        return refuse(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #identifier(): string {
    const found = this.#next();
    if (found === '' || isPunctuation(found)) refuse(`found '${found}', expected: identifier`);
    return found;
  }

  /** `key=` is a comparison with the empty value. */
  #value(key: string): string {
    const next = this.#peek();
    return next === '' || next === ',' ? '' : checkValue(key, this.#identifier());
  }

  #number(key: string): string {
    const value = this.#value(key);
    if (isInteger(value)) return value;
    return refuse(
      `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, ` +
        'the value must be an integer',
    );
  }

  #values(key: string): readonly string[] {
    const open = this.#next();
    if (open !== '(') refuse(`found '${open}' expected: '('`);
    const first = this.#peek();
    if (first === '' || (isPunctuation(first) && first !== ',' && first !== ')')) {
      refuse(`found '${first}', expected: ',', ')' or identifier`);
    }
    const values: string[] = [];
    for (;;) {
      const next = this.#next();
      if (next === ')') return [...values, '']; // `()` and `(a,)`
      if (next === ',') {
        values.push(''); // `(,` and `,,`
        continue;
      }
      if (next === '' || isPunctuation(next)) {
        refuse(`found '${next}', expected: ',', or identifier`);
      }
      values.push(checkValue(key, next));
      const after = this.#next();
      if (after === ')') return values;
      if (after !== ',') refuse(`found '${after}', expected: ',' or ')'`);
    }
  }

  /** Empty at the end. */
  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #next(): string {
    const next = this.#peek();
    this.#at += 1;
    return next;
  }
}

function checkKey(key: string): void {
  const faults = listQualifiedNameFaults(key);
  if (faults.length === 0) return;
  // The path is Go's word for none.
  refuse(`<nil>: Invalid value: ${JSON.stringify(key)}: ${faults.join('; ')}`);
}

function checkValue(key: string, value: string): string {
  const faults = listLabelValueFaults(value);
  if (faults.length === 0) return value;
  return refuse(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${faults.join('; ')}`);
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

/** Everything for empty text. Throws 400 for a field that the kind cannot be selected by. */
export function parseFieldSelector(text: string, kind: KindDefinition): FieldMatcher {
  // All are read before the first is looked up, as upstream.
  const terms = splitTerms(text)
    .filter((term) => term !== '')
    .sort()
    .map((term) => parseTerm(term, text))
    .filter(({ field, value }) => field !== '' || value !== '') // selects everything, as upstream
    .map(({ field, value, isEqual }) => ({ read: readerOf(field, kind), value, isEqual }));
  refuseMany(terms.length);
  return (object) =>
    terms.every(({ read, value, isEqual }) => (read(object) === value) === isEqual);
}

/** The name that a field selector pins, for authorization by name. */
export function nameOfFieldSelector(text: string): string | undefined {
  for (const term of splitTerms(text)) {
    const match = /^metadata\.name==?([^=].*)$/s.exec(term);
    if (match?.[1] !== undefined) return match[1].replace(/\\(.)/gs, '$1');
  }
  return undefined;
}

/** Commas split, unless escaped by a backslash. */
function splitTerms(text: string): readonly string[] {
  return text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? [];
}

interface GivenTerm {
  readonly field: string;
  readonly value: string;
  readonly isEqual: boolean;
}

function parseTerm(term: string, selector: string): GivenTerm {
  const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) {
    throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
  }
  const [, field = '', operator = '', value = ''] = match;
  return { field, value: unescapeValue(value), isEqual: operator !== '!=' };
}

function readerOf(field: string, kind: KindDefinition): (object: KubeObject) => string {
  if (field === 'metadata.name') return ({ metadata }) => metadata.name;
  if (field === 'metadata.namespace' && kind.isNamespaced) {
    return ({ metadata }) => metadata.namespace ?? '';
  }
  const read = Object.hasOwn(kind.fieldSelectors, field) ? kind.fieldSelectors[field] : undefined;
  if (read === undefined) throw badRequest(refusalOf(field, kind));
  return read;
}

function refusalOf(field: string, kind: KindDefinition): string {
  // Built-in kinds without fields of their own are refused by code that names the only two.
  const isPlain = kind.allowsStrategicMerge && Object.keys(kind.fieldSelectors).length === 0;
  return isPlain
    ? `${JSON.stringify(field)} is not a known field selector: ` +
        'only "metadata.name", "metadata.namespace"'
    : `field label not supported: ${field}`;
}

/** Within a value `\\`, `\,` and `\=` stand for what follows; anything else is refused. */
function unescapeValue(text: string): string {
  const bad = /^(?:\\[\\,=]|[^\\,=])*?(\\[^\\,=]|\\$|[,=])/s.exec(text)?.[1];
  if (bad === undefined) return text.replace(/\\(.)/gs, '$1');
  throw badRequest(
    bad.startsWith('\\')
      ? `invalid field selector: invalid escape sequence: ${bad}`
      : `invalid field selector: unescaped character in value: ${bad.codePointAt(0) ?? 0}`,
  );
}
