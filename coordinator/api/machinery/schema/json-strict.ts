// A JSON parser that says what JSON.parse swallows: duplicate keys, and numbers that are no plain
// integers. Errors read like those of Go's encoding/json. It can be paused, so that a large body
// does not hold up everybody else (parse-ahead.ts).
//
//   J1. Work is linear in the text; nesting and the number of values have a bound.
//   J2. It does not recurse.

import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json } from '../../../../common/model/kube-object.ts';
import { JsonText } from './json-text.ts';

export interface ParsedJson {
  readonly value: Json;
  /** Paths such as `spec.ports[0].port`, in the order of the text. */
  readonly duplicates: readonly string[];
  /** Numbers that are not written as plain safe integers, by path: `80.0`, `1e2`. */
  readonly numbers: ReadonlyMap<string, string>;
}

/** The text is no JSON; the message is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

/** More values than an object of Kubernetes ever has. */
export class JsonBudgetError extends Error {
  override readonly name = 'JsonBudgetError';
}

// Go stops at 10,000. Objects are a dozen levels deep, and what comes after the parser recurses.
const depthMax = 1_000;

/**
 * An EndpointSlice of a thousand endpoints has some 20,000, a JSON patch of 10,000 operations
 * 40,000. What is beyond is made to keep the server busy: 3 MiB hold a million, and each costs
 * a microsecond in every step of a write.
 */
export const valuesMax = 50_000;

/**
 * Of one object: twice what an object of Kubernetes may have in all (rules/object-size.ts). With
 * 49,000, V8 copies a growing table within one value, and to list its keys takes 10 ms.
 */
export const membersMax = 10_000;

export function parseJsonStrict(text: string): ParsedJson {
  const parser = new JsonParser(text);
  parser.run(Number.POSITIVE_INFINITY);
  return parser.result();
}

/** A string of which a part is read. */
interface Long {
  readonly text: JsonText;
  readonly isKey: boolean;
}

// A piece of a string takes as long as so many values.
const workOfPiece = 1_000;

interface Frame {
  readonly container: Record<string, Json> | Json[];
  /** Of the member that is being read. */
  key: string;
  /** So many were read. */
  members: number;
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// Up to the quote or the backslash that ends a run of plain characters.
const plain = /[ !#-[\]-\uffff]{0,65535}/y;

export class JsonParser {
  readonly #text: string;
  readonly #frames: Frame[] = [];
  readonly #duplicates: string[] = [];
  readonly #numbers = new Map<string, string>();
  #at = 0;
  #values = 0;
  /** Values, and what long strings count for. */
  #work = 0;
  #long: Long | undefined;
  #root: Json | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads on for about so many values; true at the end. Throws JsonSyntaxError. */
  run(values: number): boolean {
    const until = this.#work + values;
    while (this.#root === undefined || this.#frames.length > 0) {
      if (this.#work >= until) return false;
      this.#next();
    }
    this.#space();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
    return true;
  }

  result(): ParsedJson {
    return {
      value: this.#root ?? null,
      duplicates: this.#duplicates,
      numbers: this.#numbers,
    };
  }

  /** One value, a piece of a long one, or the end of a container. */
  #next(): void {
    if (this.#long !== undefined) return this.#readOn(this.#long);
    const frame = this.#frames.at(-1);
    this.#space();
    if (frame === undefined) return this.#value();
    if (Array.isArray(frame.container)) this.#nextItem(frame.container);
    else this.#nextMember(frame);
  }

  #nextItem(items: Json[]): void {
    if (this.#take(']')) return this.#end();
    if (items.length > 0 && !this.#take(',')) this.#fail('after array element');
    this.#space();
    this.#value();
  }

  #nextMember(frame: Frame): void {
    const isFirst = frame.key === noKey;
    if (this.#take('}')) return this.#end();
    if (!isFirst && !this.#take(',')) this.#fail('after object key:value pair');
    this.#space();
    if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string');
    const key = this.#string(true);
    if (key !== undefined) this.#member(frame, key);
  }

  #member(frame: Frame, key: string): void {
    frame.key = key;
    frame.members += 1;
    if (frame.members > membersMax) {
      throw new JsonBudgetError(`more than ${membersMax} members of one object`);
    }
    if (Object.hasOwn(frame.container, key)) this.#duplicates.push(this.#path());
    this.#space();
    if (!this.#take(':')) this.#fail('after object key');
    this.#space();
    this.#value();
  }

  #end(): void {
    this.#frames.pop();
  }

  #value(): void {
    this.#values += 1;
    this.#work += 1;
    if (this.#values > valuesMax) throw new JsonBudgetError(`more than ${valuesMax} values`);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#open({});
      case '[':
        return this.#open([]);
      case '"': {
        const text = this.#string(false);
        return text === undefined ? undefined : this.#put(text);
      }
      case 't':
        return this.#put(this.#word('true', true));
      case 'f':
        return this.#put(this.#word('false', false));
      case 'n':
        return this.#put(this.#word('null', null));
      default:
        return this.#put(this.#number());
    }
  }

  #open(container: Record<string, Json> | Json[]): void {
    if (this.#frames.length >= depthMax) this.#fail('exceeded max depth');
    this.#put(container);
    this.#frames.push({ container, key: noKey, members: 0 });
    this.#at += 1;
  }

  #put(value: Json): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) this.#root = value;
    else if (Array.isArray(frame.container)) frame.container.push(value);
    else setMember(frame.container, frame.key, value);
  }

  #path(): string {
    const last = this.#frames.length - 1;
    return this.#frames.reduce((path, { container, key }, depth) => {
      // An item with items of its own stands in its list already.
      if (Array.isArray(container)) return `${path}[${container.length - (depth < last ? 1 : 0)}]`;
      return path === '' ? key : `${path}.${key}`;
    }, '');
  }

  /** Undefined for a long one, which is read on with each #next. */
  #string(isKey: boolean): string | undefined {
    const start = this.#at + 1;
    const end = this.#plainUntil(start);
    if (this.#text[end] === '"') {
      this.#at = end + 1;
      return this.#text.slice(start, end);
    }
    const text = new JsonText(this.#text, start);
    if (this.#isRead(text)) return text.value();
    this.#long = { text, isKey };
    return undefined;
  }

  /** The next piece of a string with escapes; true at its end. */
  #isRead(text: JsonText): boolean {
    const found = text.next();
    if (found === 'broken') this.#failInString(text.at);
    if (found === 'end') this.#at = text.at + 1;
    return found === 'end';
  }

  #readOn({ text, isKey }: Long): void {
    this.#work += workOfPiece;
    if (!this.#isRead(text)) return;
    this.#long = undefined;
    const frame = this.#frames.at(-1);
    if (!isKey) this.#put(text.value());
    else if (frame !== undefined) this.#member(frame, text.value());
  }

  /** Says what is wrong after `start`. */
  #failInString(start: number): never {
    let end = start;
    for (;;) {
      end = this.#plainUntil(end);
      if (this.#text[end] === '\\') {
        end = this.#escape(end);
        continue;
      }
      const code = this.#text.charCodeAt(end);
      if (code >= 0x20 && code !== 0x22) continue; // where a run of plain ones was cut
      this.#at = end;
      this.#fail('in string literal');
    }
  }

  #plainUntil(at: number): number {
    plain.lastIndex = at;
    plain.test(this.#text);
    return plain.lastIndex;
  }

  /** The place after an escape. */
  #escape(at: number): number {
    const letter = this.#text[at + 1] ?? '';
    if (letter !== 'u') {
      this.#at = at + 1;
      if (letter === '' || !'"\\/bfnrt'.includes(letter)) this.#fail('in string escape code');
      return at + 2;
    }
    for (let digit = at + 2; digit < at + 6; digit += 1) {
      this.#at = digit;
      if (!/^[0-9a-fA-F]$/.test(this.#text[digit] ?? '')) {
        this.#fail('in \\u hexadecimal character escape');
      }
    }
    return at + 6;
  }

  #word<T extends Json>(word: string, value: T): T {
    for (const letter of word) {
      if (this.#text[this.#at] !== letter) this.#fail(`in literal ${word} (expecting '${letter}')`);
      this.#at += 1;
    }
    return value;
  }

  #number(): number {
    number.lastIndex = this.#at;
    if (!number.test(this.#text)) this.#failInNumber();
    const text = this.#text.slice(this.#at, number.lastIndex);
    this.#at = number.lastIndex;
    this.#checkEnd(text);
    const value = Number(text);
    if (!Number.isSafeInteger(value) || /[.eE]/.test(text)) this.#numbers.set(this.#path(), text);
    return value;
  }

  #failInNumber(): never {
    const isSigned = this.#text[this.#at] === '-';
    if (isSigned) this.#at += 1;
    return this.#fail(isSigned ? 'in numeric literal' : 'looking for beginning of value');
  }

  /** What cannot follow a number that is complete so far. */
  #checkEnd(text: string): void {
    const next = this.#text[this.#at];
    const isWhole = !/[.eE]/.test(text);
    if (next === '.' && isWhole) {
      this.#at += 1;
      this.#fail('after decimal point in numeric literal');
    }
    if ((next === 'e' || next === 'E') && !/[eE]/.test(text)) {
      this.#at += 1;
      if (/^[+-]$/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      this.#fail('in exponent of numeric literal');
    }
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #fail(where: string): never {
    const found = this.#text.codePointAt(this.#at);
    if (found === undefined) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quote(found)} ${where}`);
  }
}

// Before the first member; no key of a member, for JSON's texts have no such character alone.
const noKey = '\ud800';

/** Go looks at bytes: of a character beyond ASCII it names the first one. */
function quote(code: number): string {
  const character = String.fromCodePoint(code);
  if (code > 0x7e) return `'${String.fromCharCode(Buffer.from(character)[0] ?? 0)}'`;
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  if (code >= 0x20) return `'${character === '\\' ? '\\\\' : character}'`;
  const escape = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' }[character];
  return `'${escape ?? `\\x${code.toString(16).padStart(2, '0')}`}'`;
}
