// A string of JSON, read piece by piece: three million escapes at one go hold up everybody.
//
//   J1. No piece ends within an escape, and none between the halves of a pair.

/** Of a text; half a millisecond for the worst of them. */
const pieceCharacters = 32 * 1024;
// The longest escape is \uXXXX.
const escapeCharacters = 6;

export class JsonText {
  readonly #text: string;
  readonly #pieces: string[] = [];
  /** A first half whose second may come with the next piece. */
  #half = '';
  /** Before what is not read yet: the start of a piece, the closing quote at the end. */
  at: number;

  /** `start`: after the opening quote. */
  constructor(text: string, start: number) {
    this.#text = text;
    this.at = start;
  }

  /** Reads on; `broken` when what follows `at` is no string, or never ends. */
  next(): 'more' | 'end' | 'broken' {
    const window = this.#text.slice(this.at, this.at + pieceCharacters);
    const quote = findQuote(window);
    const isEnd = quote >= 0;
    const end = isEnd ? quote : cutBeforeEscape(window);
    if (end === 0 && !isEnd) return 'broken'; // the text ends here
    if (!this.#take(window.slice(0, end), isEnd)) return 'broken';
    this.at += end;
    return isEnd ? 'end' : 'more';
  }

  value(): string {
    return this.#pieces.length === 1 ? (this.#pieces[0] ?? '') : this.#pieces.join('');
  }

  #take(written: string, isEnd: boolean): boolean {
    let read: string;
    try {
      read = this.#half + String(JSON.parse(`"${written}"`));
    } catch {
      return false;
    }
    const isHalf = !isEnd && isFirstHalf(read.charCodeAt(read.length - 1));
    this.#half = isHalf ? read.slice(-1) : '';
    const whole = isHalf ? read.slice(0, -1) : read;
    // Half of a pair is no character: Go has U+FFFD there. Only an escape can write one.
    const mayBeHalf = whole !== '' && /\\u/.test(written);
    this.#pieces.push(mayBeHalf ? whole.replace(/\p{Surrogate}/gu, '\ufffd') : whole);
    return true;
  }
}

/** The quote that ends the string, or -1. */
function findQuote(window: string): number {
  let quote = window.indexOf('"');
  while (quote >= 0 && isEscaped(window, quote)) quote = window.indexOf('"', quote + 1);
  return quote;
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(window: string, at: number): boolean {
  let first = at;
  while (window.charCodeAt(first - 1) === 0x5c) first -= 1;
  return (at - first) % 2 === 1;
}

/** The length of the window without an escape that may go on after it. */
function cutBeforeEscape(window: string): number {
  if (window.length < pieceCharacters) return window.length;
  const last = window.lastIndexOf('\\');
  const isFar = last < window.length - escapeCharacters;
  return isFar || last < 0 || isEscaped(window, last) ? window.length : last;
}

function isFirstHalf(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
