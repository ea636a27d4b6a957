// One Service's names in one zone: its record sets as wire names. Input: a publication's record
// sets. Output: the names of the Service's own form, and the others that were asked for (aliases).

import type { ServiceKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { isWithin, toWireName, type WireName } from '../../common/pure/dns-wire.ts';
import { toNamePrefix } from '../../common/pure/level-names.ts';
import type { ZoneService } from './fold.ts';

export interface ServiceTarget {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: WireName;
}

/** The record sets of one name. At least one member is set. */
export interface NameRecords {
  readonly ttlSeconds: number;
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
  /** Of the addresses, where they differ: each answer then carries one of them. */
  readonly aWeights?: readonly number[] | undefined;
  readonly aaaaWeights?: readonly number[] | undefined;
  readonly srv: readonly ServiceTarget[];
  readonly cname: WireName | undefined;
}

/** One name that is stored. `answers` holds what was encoded of it, by place (answer.ts). */
export interface NameEntry {
  readonly name: WireName;
  readonly records: NameRecords;
  readonly owner: PublishedService;
  readonly answers: unknown[];
}

/** One Service in a zone. A change replaces the whole, and so every answer made from it. */
export interface PublishedService {
  readonly key: ServiceKey;
  /** `<service>.<namespace>.<federation>.svc` in wire form, without the root. */
  readonly prefix: string;
  readonly names: readonly NameEntry[];
  readonly aliases: readonly NameEntry[];
  /** Labels such as `_http._tcp` that its global name has records below. */
  readonly heads: ReadonlySet<string>;
  /** Names between such labels and the Service's own name. */
  readonly inner: ReadonlySet<string>;
  /** Levels below the apex at which it has names of its own; one may be there several times. */
  readonly suffixes: readonly WireName[];
  readonly fallbackTtlSeconds: { readonly zone: number; readonly region: number };
  /** Answers for its fall-back names, by name and type. */
  readonly fallbackAnswers: Map<string, unknown>;
}

/** `_http._tcp`. */
export const headLabelsMax = 2;
const underscore = 0x5f;

/** undefined: no names, or none at the global level, to which every other leads (Z1, Z3). */
export function foldService(
  { key, recordSets, fallbackTtlSeconds }: ZoneService,
  zone: { readonly apex: WireName; readonly federation: string },
): PublishedService | undefined {
  const prefix = toServicePrefix(key, zone.federation);
  const global = (prefix + zone.apex) as WireName;
  const records = gatherRecords(recordSets, zone.apex);
  const top = records.get(global);
  if (top === undefined) return undefined;
  const names: NameEntry[] = [];
  const aliases: NameEntry[] = [];
  const heads = new Set<string>();
  const inner = new Set<string>();
  const suffixes: WireName[] = [];
  const service: PublishedService = {
    key,
    prefix,
    names,
    aliases,
    heads,
    inner,
    suffixes,
    fallbackTtlSeconds: fallbackTtlSeconds ?? { zone: top.ttlSeconds, region: top.ttlSeconds },
    fallbackAnswers: new Map(),
  };
  for (const [name, each] of records) {
    const entry = { name, records: each, owner: service, answers: [] };
    const head = headOf(name, prefix);
    if (head === undefined) {
      // Names of other federations' form are nobody's wish.
      if (each.isFreeForm && name !== zone.apex) aliases.push(entry);
      continue;
    }
    names.push(entry);
    const suffix = name.slice(head + prefix.length) as WireName;
    if (suffix !== zone.apex) suffixes.push(suffix);
    else if (name.charCodeAt(1) === underscore && head > 0) heads.add(name.slice(0, head));
    for (let at = skipLabels(name, 0, 1) ?? head; at < head; at = skipLabels(name, at, 1) ?? head)
      inner.add(name.slice(at));
  }
  return service;
}

type GatheredRecords = NameRecords & { readonly isFreeForm: boolean };

function gatherRecords(
  sets: readonly RecordSet[],
  apex: WireName,
): ReadonlyMap<WireName, GatheredRecords> {
  const found = new Map<WireName, GatheredRecords>();
  for (const { name, type, values, weights, ttlSeconds, level } of sets) {
    const at = toWireName(name);
    if (at === undefined || !isWithin(at, apex)) continue;
    const isFreeForm = level === 'alias' || level === 'shard';
    const none = { ttlSeconds, a: [], aaaa: [], srv: [], cname: undefined, isFreeForm };
    const known = found.get(at) ?? none;
    const [target] = values;
    if (type === 'A') found.set(at, { ...known, a: values, aWeights: weights });
    else if (type === 'AAAA') found.set(at, { ...known, aaaa: values, aaaaWeights: weights });
    else if (type === 'SRV') found.set(at, { ...known, srv: values.flatMap(toServiceTarget) });
    else if (target !== undefined) found.set(at, { ...known, cname: toWireName(target) });
  }
  return found;
}

/** `priority weight port target` (RFC 2782). */
function toServiceTarget(text: string): readonly ServiceTarget[] {
  const [priority, weight, port, name = ''] = text.split(' ');
  const target = toWireName(name);
  if (target === undefined) return [];
  return [{ priority: Number(priority), weight: Number(weight), port: Number(port), target }];
}

/** Where the Service's own labels begin in `name`; undefined when they do not stand in it. */
function headOf(name: WireName, prefix: string): number | undefined {
  for (let labels = 0; labels <= headLabelsMax; labels += 1) {
    const at = skipLabels(name, 0, labels);
    if (at === undefined) return undefined;
    if (name.startsWith(prefix, at)) return at;
  }
  return undefined;
}

/** Offset behind `labels` labels from `from` on; undefined when the name ends before. */
export function skipLabels(name: string, from: number, labels: number): number | undefined {
  let at = from;
  for (let label = 0; label < labels; label += 1) {
    if (at >= name.length - 1) return undefined;
    at += 1 + name.charCodeAt(at);
  }
  return at;
}

/** `<service>.<namespace>.<federation>.svc` in wire form, without the root. */
export function toServicePrefix(key: ServiceKey, federation: string): string {
  return wireText(toNamePrefix(key, federation));
}

/** Wire form without the root's zero; names of Kubernetes objects always have one. */
export function wireText(text: string): string {
  return (toWireName(text) ?? '\0').slice(0, -1);
}
