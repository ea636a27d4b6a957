// Record sets in Cloud DNS' JSON and in ours. Input: one form. Output: the other. Pure, but for
// ExactForms, which remembers.
//
//   R1. toWire(fromWire(x)) deletes what x was read as, whatever order its values are kept in: where
//       Cloud DNS keeps another text than we would write, that text is remembered and sent.
//
// Source: ResourceRecordSet and RRSetRoutingPolicy of the Cloud DNS API, v1.

import { parseAddress } from '../../../common/pure/address-rules.ts';
import { isSameJson, toCanonicalJson } from '../../../common/pure/canonical-json.ts';
import type { RecordGroup, WeightedItem, ZoneRecordSet } from './provider.ts';

export interface WireRecordSet {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly rrdatas?: readonly string[];
  readonly routingPolicy?: WirePolicy;
}

type WirePolicy = Readonly<Record<string, unknown>>;

export function toWire(set: ZoneRecordSet): WireRecordSet {
  const { type, ttlSeconds: ttl } = set;
  const head = { name: `${set.name}.`, type, ttl };
  if (set.foreign !== undefined) {
    // Text that fromWire made.
    return { ...head, routingPolicy: JSON.parse(set.foreign) as WirePolicy };
  }
  if (set.items === undefined) return { ...head, rrdatas: toDatas(type, set.values) };
  const items = set.items.map(({ weight, values }) => ({ weight, rrdatas: toDatas(type, values) }));
  return { ...head, routingPolicy: { wrr: { items } } };
}

/** Nothing else of the JSON is needed: kinds and signatures are the server's own. */
export function fromWire(wire: WireRecordSet): ZoneRecordSet {
  const { routingPolicy, ttl: ttlSeconds = 0 } = wire;
  const type = wire.type.toUpperCase();
  const head = { name: toName(wire.name), type, ttlSeconds };
  if (routingPolicy === undefined) return { ...head, values: fromDatas(type, wire.rrdatas ?? []) };
  const items = readItems(type, routingPolicy);
  if (items !== undefined) return { ...head, values: [], items };
  return { ...head, values: [], foreign: toCanonicalJson(withoutKinds(routingPolicy)) };
}

/** undefined: a policy that we never write. */
function readItems(type: string, policy: WirePolicy): readonly WeightedItem[] | undefined {
  if (Object.keys(policy).some((key) => key !== 'kind' && key !== 'wrr')) return undefined;
  const list = memberOf(policy['wrr'], 'items');
  if (!Array.isArray(list)) return undefined;
  const items: WeightedItem[] = [];
  for (const item of list as readonly unknown[]) {
    const [weight, rrdatas] = [memberOf(item, 'weight') ?? 0, memberOf(item, 'rrdatas')];
    const hasTargets = memberOf(item, 'healthCheckedTargets') !== undefined;
    if (hasTargets || typeof weight !== 'number' || !isTexts(rrdatas)) return undefined;
    items.push({ weight, values: fromDatas(type, rrdatas) });
  }
  return items;
}

function withoutKinds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKinds);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key]) => key !== 'kind' && !key.startsWith('signature'),
  );
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutKinds(member)]));
}

function toName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

function fromDatas(type: string, datas: readonly string[]): readonly string[] {
  return datas.map((data) => fromData(type, data)).sort();
}

function fromData(type: string, data: string): string {
  switch (type) {
    case 'A':
    case 'AAAA':
      return parseAddress(data) ?? data;
    case 'TXT':
    case 'SPF':
      return unquote(data);
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'ALIAS':
    case 'MX':
    case 'SRV':
      return toName(data.trim().replaceAll(/\s+/g, ' '));
    default:
      return data;
  }
}

function toDatas(type: string, values: readonly string[]): readonly string[] {
  return values.map((value) => toData(type, value));
}

function toData(type: string, value: string): string {
  switch (type) {
    case 'TXT':
    case 'SPF':
      return quote(value);
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'ALIAS':
    case 'MX':
    case 'SRV':
      return `${value}.`;
    default:
      return value;
  }
}

// A character string of TXT data (RFC 1035 3.3).
const stringBytesMax = 255;

/** Quoted strings of at most 255 bytes each, with `"`, `\` and unprintable bytes escaped. */
export function quote(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += stringBytesMax) {
    let escaped = '';
    for (const byte of bytes.subarray(at, at + stringBytesMax)) escaped += escapeByte(byte);
    strings.push(`"${escaped}"`);
  }
  return strings.join(' ');
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (byte < 0x20 || byte > 0x7e) return `\\${String(byte).padStart(3, '0')}`;
  return character === '"' || character === '\\' ? `\\${character}` : character;
}

/** The strings of one value as one text. Without quotes, each word is a string (RFC 1035 5.1). */
export function unquote(data: string): string {
  const bytes: number[] = [];
  const token = /\\(\d{3})|\\([\s\S])|("|\s+)|([\s\S])/gu;
  let isQuoted = false;
  for (const [, code, escaped, border, plain] of data.matchAll(token)) {
    if (code !== undefined) bytes.push(Number(code) & 0xff);
    else if (border === '"') isQuoted = !isQuoted;
    else if (border !== undefined && !isQuoted) continue;
    else bytes.push(...Buffer.from(escaped ?? border ?? plain ?? '', 'utf8'));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** Bytes of record data, as Cloud DNS counts them for a change: of what goes and what comes. */
export function dataBytes({ deletes, creates }: RecordGroup): number {
  let bytes = 0;
  for (const set of [...deletes, ...creates]) {
    const lists = set.items?.map(({ values }) => values) ?? [set.values];
    for (const values of lists) {
      for (const value of values) bytes += Buffer.byteLength(toData(set.type, value));
    }
    bytes += set.foreign?.length ?? 0;
  }
  return bytes;
}

// What other hands wrote in other words than ours, at names that we delete: few. Beyond it the
// oldest is forgotten, and its delete is a conflict that a read settles.
const formsMax = 10_000;

/** R1. */
export class ExactForms {
  readonly #forms = new Map<string, WireRecordSet>();

  /** Of what the server told. */
  remember(wire: WireRecordSet): ZoneRecordSet {
    const set = fromWire(wire);
    const kept = strip(wire);
    const key = keyOf(set);
    this.#forms.delete(key);
    if (isSameJson(kept, toWire(set))) return set;
    this.#forms.set(key, kept);
    const oldest = this.#forms.size > formsMax ? this.#forms.keys().next().value : undefined;
    if (oldest !== undefined) this.#forms.delete(oldest);
    return set;
  }

  forget(set: ZoneRecordSet): void {
    this.#forms.delete(keyOf(set));
  }

  /** As it has to be said to delete `set`. */
  toDelete(set: ZoneRecordSet): WireRecordSet {
    const kept = this.#forms.get(keyOf(set));
    return kept !== undefined && isSameJson(fromWire(kept), set) ? kept : toWire(set);
  }
}

function strip({ name, type, ttl, rrdatas, routingPolicy }: WireRecordSet): WireRecordSet {
  const policy =
    routingPolicy === undefined ? undefined : (withoutKinds(routingPolicy) as WirePolicy);
  return {
    name,
    type,
    ...(ttl === undefined ? {} : { ttl }),
    ...(policy === undefined ? { rrdatas: rrdatas ?? [] } : { routingPolicy: policy }),
  };
}

function keyOf({ name, type }: ZoneRecordSet): string {
  return `${name} ${type}`;
}

/** A list of record sets of an answer; undefined where it is none. */
export function readWireSets(value: unknown): readonly WireRecordSet[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const sets: WireRecordSet[] = [];
  for (const item of value as readonly unknown[]) {
    const [name, type, ttl] = [
      memberOf(item, 'name'),
      memberOf(item, 'type'),
      memberOf(item, 'ttl'),
    ];
    const [rrdatas, policy] = [memberOf(item, 'rrdatas'), memberOf(item, 'routingPolicy')];
    if (typeof name !== 'string' || typeof type !== 'string') return undefined;
    if (rrdatas !== undefined && !isTexts(rrdatas)) return undefined;
    sets.push({
      name,
      type,
      ...(typeof ttl === 'number' ? { ttl } : {}),
      ...(rrdatas === undefined ? {} : { rrdatas }),
      ...(typeof policy === 'object' && policy !== null
        ? { routingPolicy: policy as WirePolicy } // members are looked at one by one
        : {}),
    });
  }
  return sets;
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
