// A JSON parser that reports duplicate keys, which JSON.parse swallows. Errors read like those of
// Go's encoding/json. Input: text. Output: the value (last duplicate wins) and the duplicates.
//
//   J1. Work is linear in the text; nesting has a bound.

import type { Json } from '../../../../common/model/kube-object.ts';

export interface ParsedJson {
  readonly value: Json;
  /** Paths such as `spec.ports[0].port`, in the order of the text. */
  readonly duplicates: readonly string[];
}

/** The text is no JSON; the message is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

// Kubernetes objects are a dozen levels deep; recursion must stay far from the stack's end.
const depthMax = 500;

export function parseJsonStrict(text: string): ParsedJson {
  const parser = new Parser(text);
  const value = parser.document();
  return { value, duplicates: parser.duplicates };
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Parser {
  readonly duplicates: string[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value('', 0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
    return value;
  }

  #value(path: string, depth: number): Json {
    if (depth > depthMax) throw new JsonSyntaxError('exceeded max depth');
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(path, depth);
      case '[':
        return this.#list(path, depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(path: string, depth: number): Json {
    this.#at += 1;
    const members = new Map<string, Json>();
    this.#space();
    if (this.#take('}')) return {};
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string');
      const key = this.#string();
      const keyPath = path === '' ? key : `${path}.${key}`;
      if (members.has(key)) this.duplicates.push(keyPath);
      this.#space();
      if (!this.#take(':')) this.#fail('after object key');
      members.set(key, this.#value(keyPath, depth + 1));
      this.#space();
      if (this.#take('}')) return Object.fromEntries(members);
      if (!this.#take(',')) this.#fail('after object key:value pair');
    }
  }

  #list(path: string, depth: number): Json {
    this.#at += 1;
    const items: Json[] = [];
    this.#space();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(`${path}[${items.length}]`, depth + 1));
      this.#space();
      if (this.#take(']')) return items;
      if (!this.#take(',')) this.#fail('after array element');
    }
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    let isPlain = true;
    for (;;) {
      const code = this.#text.charCodeAt(end);
      if (Number.isNaN(code)) throw new JsonSyntaxError('unexpected end of JSON input');
      if (code === 0x22) break;
      if (code < 0x20) {
        this.#at = end;
        this.#fail('in string literal');
      }
      if (code === 0x5c) {
        isPlain = false;
        end += 1;
      }
      end += 1;
    }
    this.#at = end + 1;
    return isPlain ? this.#text.slice(start + 1, end) : this.#unescape(start, end);
  }

  #unescape(start: number, end: number): string {
    try {
      return String(JSON.parse(this.#text.slice(start, end + 1)));
    } catch (error) {
      throw new JsonSyntaxError('invalid character in string escape code', { cause: error });
    }
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail(`in literal ${word}`);
    this.#at += word.length;
    return value;
  }

  #number(): number {
    number.lastIndex = this.#at;
    const match = number.exec(this.#text);
    if (match === null) this.#fail('looking for beginning of value');
    this.#at += match[0].length;
    return Number(match[0]);
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
    const found = this.#text[this.#at];
    if (found === undefined) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quote(found)} ${where}`);
  }
}

function quote(character: string): string {
  if (character === "'") return "'\\''";
  const escaped = JSON.stringify(character).slice(1, -1);
  return `'${character === '"' ? '"' : escaped}'`;
}
