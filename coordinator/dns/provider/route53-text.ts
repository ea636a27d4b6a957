// Names and values as Route 53 writes them: bytes in octal, TXT in quoted strings of 255 bytes,
// names with a trailing dot, and the order in which it lists them.
// Input and output: text in the canonical form of provider.ts, and text of the service. Pure.
//
// Next: route53-sets.ts (whole record sets).

import { parseAddress } from '../../../common/pure/address-rules.ts';

/** `a.example.com` as `a.example.com.`; what is no letter, digit, - or _ as \ooo. */
export function toRoute53Name(name: string): string {
  return `${labelsOf(name, 10).map(toOctal).join('.')}.`;
}

/** `A.example.com.` as `a.example.com`; bytes that are not printable as \DDD (RFC 1035 5.1). */
export function fromRoute53Name(name: string): string {
  return labelsOf(name.endsWith('.') ? name.slice(0, -1) : name, 8)
    .map((label) => label.replace(/[A-Z]+/g, toLower).replace(/[^!-~]|[.\\]/g, toDecimal))
    .join('.');
}

/**
 * What Route 53 sorts by (ListResourceRecordSets): labels from the right, each followed by a dot,
 * which comes after `-` and before digits and letters.
 */
export function toListOrder(name: string): string {
  return `${labelsOf(name, 10).toReversed().join('.')}.`;
}

/** Labels as latin1 text, one character a byte. `\ddd` is a byte in `radix`. */
function labelsOf(name: string, radix: 8 | 10): readonly string[] {
  const labels = [''];
  const bytes = Buffer.from(name, 'utf8').toString('latin1');
  for (const [token] of bytes.matchAll(/\\\d{3}|\\?[\s\S]/g)) {
    if (token === '.') labels.push('');
    else labels.push(`${labels.pop() ?? ''}${toByte(token, radix)}`);
  }
  return labels;
}

function toByte(token: string, radix: 8 | 10): string {
  if (!token.startsWith('\\') || token === '\\') return token;
  const digits = token.slice(1);
  return digits.length === 3 ? String.fromCharCode(Number.parseInt(digits, radix) & 0xff) : digits;
}

function toOctal(label: string): string {
  // The service takes a label of `*` alone as it is written, and lists it as \052.
  if (label === '*') return label;
  return label.replace(/[^a-zA-Z0-9_-]/g, octal);
}

function octal(byte: string): string {
  return `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
}

/** ASCII letters only: other bytes have no case (RFC 4343). */
function toLower(letters: string): string {
  return letters.toLowerCase();
}

function toDecimal(byte: string): string {
  return `\\${String(byte.charCodeAt(0)).padStart(3, '0')}`;
}

/** RFC 1035 3.3: one <character-string>. */
const stringBytesMax = 255;

/** Text as quoted strings of at most 255 bytes. */
function toQuoted(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += stringBytesMax) {
    const part = bytes.slice(at, at + stringBytesMax);
    strings.push(`"${part.replace(/["\\]/g, '\\$&').replace(/[^ -~]/g, octal)}"`);
  }
  return strings.join(' ');
}

/** The strings of a TXT value, joined. */
function fromQuoted(value: string): string {
  let bytes = '';
  let isQuoted = false;
  const written = Buffer.from(value, 'utf8').toString('latin1');
  for (const [token] of written.matchAll(/\\\d{3}|\\?[\s\S]/g)) {
    if (token === '"') isQuoted = !isQuoted;
    else if (isQuoted || !/^\s$/.test(token)) bytes += toByte(token, 8);
  }
  const raw = Buffer.from(bytes, 'latin1');
  const text = raw.toString('utf8');
  // What is no UTF-8 stays distinct, one character a byte.
  return Buffer.from(text, 'utf8').equals(raw) ? text : bytes;
}

/** A value in canonical form (ZoneRecordSet.values) as the service is given it. */
export function toRoute53Value(type: string, value: string): string {
  switch (type) {
    case 'TXT':
    case 'SPF':
      return toQuoted(value);
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return toRoute53Name(value);
    case 'SRV':
    case 'MX':
      return withLastWord(value, toRoute53Name);
    default:
      return value;
  }
}

export function fromRoute53Value(type: string, value: string): string {
  switch (type) {
    case 'A':
    case 'AAAA':
      return parseAddress(value) ?? value;
    case 'TXT':
    case 'SPF':
      return fromQuoted(value);
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return fromRoute53Name(value);
    case 'SRV':
    case 'MX':
      return withLastWord(value, fromRoute53Name);
    default:
      return value;
  }
}

function withLastWord(value: string, change: (word: string) => string): string {
  const words = value.trim().split(/\s+/);
  const last = words.pop() ?? '';
  return [...words, change(last)].join(' ');
}
