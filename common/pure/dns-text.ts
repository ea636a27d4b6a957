// Names and record data as canonical text, and back: the form of coordinator/dns/provider's
// ZoneRecordSet. Names are lower-case without the trailing dot, bytes that are not printable (and
// a dot or backslash within a label) as \DDD; addresses as RFC 5952; TXT as one unquoted text;
// data of types that have no form here as `\# length hex` (RFC 3597 5).
//
// Law: toRecordData(type, toDataText(type, data)) is data, but for where a TXT is cut in strings.

import ipaddr from 'ipaddr.js';
import { assertNever } from './errors.ts';
import { labelBytesMax, nameBytesMax, toWireName, type WireName } from './dns-wire.ts';

export type DataForm = 'a' | 'aaaa' | 'name' | 'mx' | 'srv' | 'soa' | 'txt' | 'opaque';

interface RecordType {
  readonly code: number;
  readonly text: string;
  readonly form: DataForm;
}

const recordTypeList: readonly RecordType[] = [
  { code: 1, text: 'A', form: 'a' },
  { code: 2, text: 'NS', form: 'name' },
  { code: 5, text: 'CNAME', form: 'name' },
  { code: 6, text: 'SOA', form: 'soa' },
  { code: 12, text: 'PTR', form: 'name' },
  { code: 13, text: 'HINFO', form: 'opaque' },
  { code: 15, text: 'MX', form: 'mx' },
  { code: 16, text: 'TXT', form: 'txt' },
  { code: 28, text: 'AAAA', form: 'aaaa' },
  { code: 33, text: 'SRV', form: 'srv' },
  { code: 35, text: 'NAPTR', form: 'opaque' },
  { code: 39, text: 'DNAME', form: 'name' },
  { code: 43, text: 'DS', form: 'opaque' },
  { code: 44, text: 'SSHFP', form: 'opaque' },
  { code: 46, text: 'RRSIG', form: 'opaque' },
  { code: 47, text: 'NSEC', form: 'opaque' },
  { code: 48, text: 'DNSKEY', form: 'opaque' },
  { code: 50, text: 'NSEC3', form: 'opaque' },
  { code: 51, text: 'NSEC3PARAM', form: 'opaque' },
  { code: 52, text: 'TLSA', form: 'opaque' },
  { code: 59, text: 'CDS', form: 'opaque' },
  { code: 60, text: 'CDNSKEY', form: 'opaque' },
  { code: 64, text: 'SVCB', form: 'opaque' },
  { code: 65, text: 'HTTPS', form: 'opaque' },
  { code: 99, text: 'SPF', form: 'txt' },
  { code: 257, text: 'CAA', form: 'opaque' },
];

const byCode = new Map(recordTypeList.map((type) => [type.code, type]));
const byText = new Map(recordTypeList.map((type) => [type.text, type]));

/** `A`, or `TYPE65280` (RFC 3597 5). */
export function toTypeText(code: number): string {
  return byCode.get(code)?.text ?? `TYPE${code}`;
}

export function parseTypeText(text: string): number | undefined {
  const known = byText.get(text);
  if (known !== undefined) return known.code;
  const digits = /^TYPE(\d{1,5})$/.exec(text)?.[1];
  const code = digits === undefined ? Number.NaN : Number(digits);
  return code <= 0xffff ? code : undefined;
}

function formOf(code: number): DataForm {
  return byCode.get(code)?.form ?? 'opaque';
}

/** The root is the empty text. */
export function toNameText(name: WireName): string {
  const labels: string[] = [];
  for (let at = 0; at < name.length - 1; ) {
    const length = name.charCodeAt(at);
    labels.push(escape(name.slice(at + 1, at + 1 + length), /[^!-~]|[.\\]/g));
    at += 1 + length;
  }
  return labels.join('.');
}

function escape(latin1: string, what: RegExp): string {
  if (latin1.search(what) < 0) return latin1;
  return latin1.replace(what, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`);
}

/** Escapes and a trailing dot are allowed; undefined for what is no name. */
export function parseNameText(text: string): WireName | undefined {
  if (text === '' || text === '.') return '\0' as WireName;
  if (/^[\w.*-]+$/.test(text)) return toWireName(text); // nearly every name
  let wire = '';
  let label = '';
  for (const [, decimal, escaped, plain] of text.toLowerCase().matchAll(/\\(\d{3})|\\(.)|(.)/gsu)) {
    if (plain === '.') {
      if (label === '' || label.length > labelBytesMax) return undefined;
      wire += String.fromCharCode(label.length) + label;
      label = '';
      continue;
    }
    const byte =
      decimal === undefined ? (escaped ?? plain ?? '') : String.fromCharCode(Number(decimal));
    if (plain === '\\' || byte.length !== 1 || byte.charCodeAt(0) > 255) return undefined;
    label += byte;
  }
  if (label.length > labelBytesMax) return undefined;
  if (label !== '') wire += String.fromCharCode(label.length) + label;
  // The brand says lower-cased; \065 is a capital too.
  const lower = wire.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return lower.length + 1 > nameBytesMax ? undefined : (`${lower}\0` as WireName);
}

/** Canonical text; data that is not as its type says is shown as `\# length hex`. */
export function toDataText(code: number, data: Uint8Array): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return readForm(formOf(code), bytes) ?? `\\# ${bytes.length} ${bytes.toString('hex')}`.trimEnd();
}

function readForm(form: DataForm, bytes: Buffer): string | undefined {
  switch (form) {
    case 'a':
      return bytes.length === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : undefined;
    case 'aaaa':
      return bytes.length === 16 ? new ipaddr.IPv6([...bytes]).toRFC5952String() : undefined;
    case 'name':
      return nameText(bytes, 0);
    case 'mx':
      return withNumbers(bytes, 1);
    case 'srv':
      return withNumbers(bytes, 3);
    case 'soa':
      return soaText(bytes);
    case 'txt':
      return txtText(bytes);
    case 'opaque':
      return undefined;
    default:
      return assertNever(form);
  }
}

/** The name that ends the data; it was checked when the message was read. */
function nameText(bytes: Buffer, from: number): string | undefined {
  if (bytes.length <= from) return undefined;
  return toNameText(bytes.toString('latin1', from) as WireName) || '.';
}

function withNumbers(bytes: Buffer, count: number): string | undefined {
  const name = nameText(bytes, count * 2);
  if (name === undefined) return undefined;
  const numbers = Array.from({ length: count }, (_, index) => bytes.readUInt16BE(index * 2));
  return [...numbers, name].join(' ');
}

function soaText(bytes: Buffer): string | undefined {
  const end = bytes.length - 20;
  const names = bytes.toString('latin1', 0, end);
  let at = 0;
  while (at < names.length && names.charCodeAt(at) !== 0) at += 1 + names.charCodeAt(at);
  if (end < 2 || at + 1 >= names.length) return undefined;
  const [primary, mailbox] = [names.slice(0, at + 1), names.slice(at + 1)];
  const numbers = [0, 4, 8, 12, 16].map((offset) => bytes.readUInt32BE(end + offset));
  return [primary, mailbox]
    .map((name) => toNameText(name as WireName) || '.')
    .concat(numbers.map(String))
    .join(' ');
}

function txtText(bytes: Buffer): string | undefined {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const end = at + 1 + (bytes[at] ?? 0);
    if (end > bytes.length) return undefined;
    text += bytes.toString('latin1', at + 1, end);
    at = end;
  }
  return bytes.length === 0 ? undefined : escape(text, /[^ -~]|\\/g);
}

/** undefined where the text is no data of this type. */
export function toRecordData(code: number, text: string): Uint8Array | undefined {
  const opaque = /^\\# (\d{1,5})(?: ((?:[0-9a-f]{2})*))?$/i.exec(text);
  if (opaque !== null) {
    const bytes = Buffer.from(opaque[2] ?? '', 'hex');
    return bytes.length === Number(opaque[1]) ? bytes : undefined;
  }
  return writeForm(formOf(code), text);
}

function writeForm(form: DataForm, text: string): Uint8Array | undefined {
  switch (form) {
    case 'a':
      return ipaddr.IPv4.isValidFourPartDecimal(text)
        ? Buffer.from(ipaddr.parse(text).toByteArray())
        : undefined;
    case 'aaaa':
      return ipaddr.IPv6.isValid(text) && !text.includes('%')
        ? Buffer.from(ipaddr.parse(text).toByteArray())
        : undefined;
    case 'name':
      return numbersAndName(text, 0);
    case 'mx':
      return numbersAndName(text, 1);
    case 'srv':
      return numbersAndName(text, 3);
    case 'txt':
      return txtData(text);
    case 'soa': // nobody writes it
    case 'opaque':
      return undefined;
    default:
      return assertNever(form);
  }
}

function numbersAndName(text: string, count: number): Uint8Array | undefined {
  const parts = text.split(' ');
  const name = parts.length === count + 1 ? parseNameText(parts[count] ?? '') : undefined;
  const numbers = parts.slice(0, count);
  if (name === undefined || numbers.some((part) => !/^\d{1,5}$/.test(part))) return undefined;
  const data = Buffer.alloc(count * 2 + name.length);
  for (const [index, part] of numbers.entries()) {
    if (Number(part) > 0xffff) return undefined;
    data.writeUInt16BE(Number(part), index * 2);
  }
  data.write(name, count * 2, 'latin1');
  return data;
}

// RFC 1035 3.3: a character string has at most 255 bytes.
const stringBytesMax = 255;
const txtBytesMax = 65_535 - 256;

function txtData(text: string): Uint8Array | undefined {
  const parts = [...text.matchAll(/\\(\d{3})|\\(.)|([^\\]+)|(\\)/gs)].map(
    ([, decimal, escaped, plain, lone]) => {
      if (lone !== undefined || Number(decimal ?? 0) > 255) return undefined;
      return decimal === undefined
        ? Buffer.from(escaped ?? plain ?? '', 'utf8')
        : Buffer.from([Number(decimal)]);
    },
  );
  if (parts.includes(undefined)) return undefined;
  const bytes = Buffer.concat(parts.flatMap((part) => part ?? []));
  if (bytes.length > txtBytesMax) return undefined;
  const strings: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += stringBytesMax) {
    const chunk = bytes.subarray(at, at + stringBytesMax);
    strings.push(Buffer.from([chunk.length]), chunk);
  }
  return Buffer.concat(strings);
}
