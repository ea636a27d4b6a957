// Decides what DNS says about one Service in one zone. Input: its shards with their verdicts, what
// the zone can carry, the places of all clusters, and what was published before. Output: a
// Publication, the desired state of every name.
//
//   P1. At a level with healthy shards: records of those (plan-level.ts). Without: a CNAME one level
//       up. Never a CNAME beside anything (RFC 1034 3.6.2), never one that dangles.
//   P2. No healthy shard anywhere: the global name keeps the fail-open set; where the user wishes
//       `allUnhealthy: Remove`, there are no names at all.
//   P3. A Service that was never healthy has no names. A shard of which nothing is known yet keeps
//       what the previous publication says of it (silence is not death).
//   P5. A backup, or a shard of weight 0, is published only while nobody better is healthy
//       (plan-candidates.ts).
//   P6. Zones and regions of other clusters have names too, that lead up; beyond the zone's budget
//       those are left out, never one with a shard.
//   P4. A pure function: equal input, equal bytes; the order of shards does not matter.
//
// Next: audit.ts doubts the result.

import type {
  Publication,
  PublicationNote,
  PublishedShard,
  RecordSet,
} from '../../../common/model/publication.ts';
import type { NameScope } from '../../../common/pure/level-names.ts';
import { toMarkName } from '../apply/ownership.ts';
import type { PublicationInput } from './input.ts';
import {
  fallbackLevels,
  isNameable,
  levelsOf,
  type LevelName,
  type ServiceLevels,
} from './levels.ts';
import { noAliases, planAliases } from './plan-aliases.ts';
import {
  activeOf,
  failOpenSet,
  isHealthy,
  tierOf,
  toCandidates,
  type Candidate,
} from './plan-candidates.ts';
import { alias, planLevel, type At } from './plan-level.ts';
import { noteRefused, toNotes } from './plan-notes.ts';
import { isPerShard, planShardNames, toShardName } from './plan-shard-names.ts';
import { planSrv, type AnsweringLevel } from './plan-srv.ts';
import { embeddedShape, type ZoneShape } from './zone-shape.ts';

export type { PublicationInput, ShardInput } from './input.ts';

export function planPublication(input: PublicationInput): Publication {
  const before = input.previous?.serviceUid === input.serviceUid ? input.previous : undefined;
  const candidates = toCandidates(input);
  const everHealthy = before?.everHealthy === true || candidates.some(isHealthy);
  const scope = { federation: input.federation, domain: input.zone };
  const levels = levelsOf(input.key, scope, candidates);
  const { global } = levels;
  const refusal =
    whyNoNames(input, candidates, everHealthy, levels) ?? whyNoMark(input, levels, scope);
  if (refusal !== undefined || global === undefined) {
    const outcome = refusal ?? tooLong(levels);
    const isThrough = input.isHeadless || input.type === 'ExternalName';
    const notes = isThrough ? [] : noteRefused(input, candidates);
    return toPublication(input, candidates, { everHealthy, ...noNames, notes, ...outcome });
  }
  const names = planNames(input, { ...levels, global }, candidates);
  const outcome = describe(input, candidates, levels, names.recordSets.length > 0);
  return toPublication(input, candidates, { everHealthy, ...names, ...outcome });
}

interface Outcome {
  readonly reason: string;
  readonly message: string;
}

interface Names {
  readonly recordSets: readonly RecordSet[];
  readonly notes: readonly PublicationNote[];
}

const noNames: Names = { recordSets: [], notes: [] };

function whyNoNames(
  input: PublicationInput,
  candidates: readonly Candidate[],
  everHealthy: boolean,
  levels: ServiceLevels<Candidate>,
): Outcome | undefined {
  if (input.type === 'ExternalName') {
    return {
      reason: 'ExternalName',
      message: 'An ExternalName Service passes through to its shards and gets no public names.',
    };
  }
  if (input.isHeadless) {
    return {
      reason: 'Headless',
      message: 'A headless Service passes through to its shards and gets no public names.',
    };
  }
  if (input.type !== 'LoadBalancer' && candidates.every(({ way }) => way.kind === 'none')) {
    return {
      reason: 'NotALoadBalancer',
      message: `A Service of type ${input.type} has no address outside its clusters.`,
    };
  }
  if (candidates.length === 0) {
    return { reason: 'NotPlaced', message: 'No cluster shall have a shard of this Service.' };
  }
  if (
    !everHealthy &&
    candidates.some(({ state, refused }) => state === 'healthy' && refused.length > 0)
  ) {
    return {
      reason: 'NoAddress',
      message: 'No shard that is ready has an address that this zone may carry.',
    };
  }
  if (!everHealthy) {
    return {
      reason: 'NeverHealthy',
      message: 'No shard has been healthy yet: an address and ready endpoints are needed.',
    };
  }
  return levels.global === undefined ? tooLong(levels) : undefined;
}

/** At a provider no name stands without its owner mark, which is longer than the global name. */
function whyNoMark(
  { key, shape = embeddedShape }: PublicationInput,
  { global }: ServiceLevels<Candidate>,
  scope: NameScope,
): Outcome | undefined {
  const mark = toMarkName(key, scope);
  if (global === undefined || !shape.hasFallbacks || isNameable(mark)) return undefined;
  const message = `DNS cannot carry ${mark}, the owner mark of the names.`;
  return { reason: 'NameTooLong', message };
}

function tooLong(levels: ServiceLevels<Candidate>): Outcome {
  return {
    reason: 'NameTooLong',
    message: `DNS cannot carry the name ${levels.tooLong[0] ?? ''}.`,
  };
}

type NamedLevels = ServiceLevels<Candidate> & { readonly global: LevelName<Candidate> };

function planNames(
  input: PublicationInput,
  levels: NamedLevels,
  candidates: readonly Candidate[],
): Names {
  const { shape = embeddedShape } = input;
  const active = activeOf(candidates);
  const isRemoved = active.length === 0 && shape.allUnhealthy === 'Remove';
  const atGlobal = active.length > 0 || isRemoved ? active : failOpenSet(candidates);
  const at = toAt(input, levels.global.name);
  const isActive = new Set(active);
  const answering = answeringLevels(input, levels, (level) =>
    level === levels.global ? atGlobal : level.shards.filter((shard) => isActive.has(shard)),
  );
  const plans = answering.map(({ level, ttlSeconds, shards }) => {
    const here: At = { ...at, name: level.name, level: level.level, ttlSeconds };
    return { here, parent: level.parent, plan: planLevel(here, shards) };
  });
  // Nothing to lead to: a CNAME to the global name would dangle.
  if (plans[0]?.plan.sets.length === 0) return { ...noNames, notes: noteLengths(input, levels) };
  const levelSets = plans.flatMap(({ here, parent, plan }) =>
    plan.sets.length > 0 || parent === undefined ? plan.sets : [alias(here, parent)],
  );
  const hasPorts = atGlobal.some(({ nodePorts }) => nodePorts !== undefined);
  const perLevel = 1 + (hasPorts ? (input.ports?.length ?? 0) : 0);
  const fallbacks = planFallbacks(input, levels, perLevel);
  const upward = fallbacks.levels.map(({ level, ttlSeconds }) =>
    alias({ name: level.name, level: level.level, ttlSeconds }, level.parent ?? ''),
  );
  const all = [...answering, ...fallbacks.levels];
  const srv = planSrv(at, input.ports ?? [], all);
  const named = new Set([...plans.flatMap(({ plan }) => plan.named), ...srv.named]);
  const globalName = levels.global.name;
  const shardSets = planShardNames(at, { globalName, candidates, named });
  const stands = new Map(all.map(({ level, ttlSeconds }) => [level.name, ttlSeconds]));
  const aliases = planAliases(input, stands);
  const recordSets = [...levelSets, ...upward, ...srv.sets, ...shardSets, ...aliases.sets].sort(
    byNameAndType,
  );
  return {
    recordSets,
    notes: toNotes(input, {
      candidates,
      levelSets,
      globalName,
      plans: plans.map(({ plan }) => plan),
      tooLong: [...levels.tooLong, ...srv.tooLong, ...unnameable(shape, globalName)],
      leftOut: fallbacks.leftOut,
      hasUnnamedPorts: srv.hasUnnamed,
      aliases,
    }),
  };
}

/** Of shards, where each shall have a name of its own and DNS cannot carry it. */
function unnameable(shape: ZoneShape, globalName: string): readonly string[] {
  const isMissing = isPerShard(shape) && toShardName(globalName, '') === undefined;
  return isMissing ? [`s-xxxxxxxx.${globalName}`] : [];
}

function noteLengths(
  input: PublicationInput,
  { global, tooLong: names }: NamedLevels,
): readonly PublicationNote[] {
  return toNotes(input, {
    candidates: [],
    levelSets: [],
    globalName: global.name,
    plans: [],
    tooLong: names,
    leftOut: [],
    hasUnnamedPorts: false,
    aliases: noAliases,
  });
}

/** Of names of single shards, which have the global name's TTL. */
function toAt(input: PublicationInput, globalName: string): Omit<At, 'name' | 'level'> {
  const { key, shape = embeddedShape } = input;
  const names = new Map<Candidate, string | undefined>();
  const shardName = (shard: Candidate): string | undefined => {
    if (!names.has(shard)) names.set(shard, toShardName(globalName, shard.cluster));
    return names.get(shard);
  };
  return { key, shape, ttlSeconds: ttlOf(input, 'global'), shardName };
}

/** The global one first, regions before zones. */
function answeringLevels(
  input: PublicationInput,
  { global, below }: NamedLevels,
  shardsAt: (level: LevelName<Candidate>) => readonly Candidate[],
): readonly AnsweringLevel[] {
  const regions = below.filter(({ level }) => level === 'region');
  const zones = below.filter(({ level }) => level === 'zone');
  return [global, ...regions, ...zones].map((level) => ({
    level,
    ttlSeconds: ttlOf(input, level.level),
    shards: shardsAt(level),
  }));
}

/** P6. */
function planFallbacks(
  input: PublicationInput,
  { global, below }: NamedLevels,
  perLevel: number,
): { readonly levels: readonly AnsweringLevel[]; readonly leftOut: readonly string[] } {
  const { key, shape = embeddedShape, places = [] } = input;
  if (!shape.hasFallbacks) return { levels: [], leftOut: [] };
  const scope = { federation: input.federation, domain: input.zone };
  const { levels, leftOut } = fallbackLevels(key, scope, {
    places,
    taken: new Set([global, ...below].map(({ name }) => name)),
    countMax: Math.max(0, Math.floor(shape.levelNamesMax / perLevel) - below.length),
  });
  return {
    levels: levels.map((level) => ({ level, ttlSeconds: ttlOf(input, level.level), shards: [] })),
    leftOut,
  };
}

function ttlOf(input: PublicationInput, level: 'zone' | 'region' | 'global'): number {
  const { ttlSeconds, levelTtlSeconds, shape = embeddedShape } = input;
  return Math.max(shape.ttlSecondsMin, levelTtlSeconds?.[level] ?? ttlSeconds);
}

/** Of names that the zone makes up. undefined: it does not, or they are as the global one's. */
function madeUpTtls(input: PublicationInput): Publication['fallbackTtlSeconds'] {
  if (input.shape?.hasFallbacks === true) return undefined;
  const [zone, region] = [ttlOf(input, 'zone'), ttlOf(input, 'region')];
  const global = ttlOf(input, 'global');
  return zone === global && region === global ? undefined : { zone, region };
}

function describe(
  { shape = embeddedShape }: PublicationInput,
  candidates: readonly Candidate[],
  levels: ServiceLevels<Candidate>,
  hasRecords: boolean,
): Outcome {
  const healthy = candidates.filter(isHealthy);
  const left =
    levels.tooLong.length === 0
      ? ''
      : ` Left out, too long for DNS: ${levels.tooLong.slice(0, 3).join(', ')}.`;
  if (!hasRecords && healthy.length === 0 && shape.allUnhealthy === 'Remove') {
    return {
      reason: 'AllUnhealthy',
      message: `No shard is healthy, and allUnhealthy is Remove: there are no names.${left}`,
    };
  }
  if (!hasRecords) {
    return {
      reason: 'NoAddress',
      message: `No shard has an address that DNS may carry, or all are drained.${left}`,
    };
  }
  if (healthy.length === 0) {
    return {
      reason: 'FailOpen',
      message: `No shard is healthy: the last known addresses stay published.${left}`,
    };
  }
  const counted = `${healthy.length} of ${candidates.length} shards are healthy.`;
  const best = Math.min(...healthy.map(tierOf));
  const stand = ['', ' No primary is healthy: backups answer.', ' Only shards of weight 0 answer.'];
  return { reason: 'Published', message: `${counted}${stand[Math.min(best, 2)] ?? ''}${left}` };
}

function toPublication(
  input: PublicationInput,
  candidates: readonly Candidate[],
  decided: Outcome & Names & { readonly everHealthy: boolean },
): Publication {
  const { key, serviceUid, zone } = input;
  const { recordSets, everHealthy, reason, message, notes } = decided;
  const madeUp = recordSets.length === 0 ? undefined : madeUpTtls(input);
  const published = new Set<string>();
  for (const set of recordSets) addTargets(published, set);
  return {
    key,
    serviceUid,
    zone,
    shards: candidates.map((shard) => toPublishedShard(shard, published)),
    everHealthy,
    recordSets,
    ...(madeUp === undefined ? {} : { fallbackTtlSeconds: madeUp }),
    reason,
    message,
    ...(notes.length > 0 ? { notes } : {}),
  };
}

function addTargets(all: Set<string>, { values, items = [], alias: at }: RecordSet): void {
  for (const value of values) all.add(value);
  for (const item of items) for (const value of item.values) all.add(value);
  if (at !== undefined) all.add(at.target);
}

function toPublishedShard(shard: Candidate, published: ReadonlySet<string>): PublishedShard {
  const { cluster, topology, state, reason, sinceMs, addresses, hostnames } = shard;
  const { isDrained, isBackup, nodePorts, way } = shard;
  const isPublished = (value: string): boolean => published.has(value);
  const isThere = addresses.some(isPublished) || hostnames.some(isPublished);
  const inDns = isThere || (way.kind === 'addresses' && way.addresses.some(isPublished));
  const { zones, region } = topology;
  const said = { cluster, zones, region, state, reason, sinceMs, addresses, hostnames, inDns };
  const resolved = way.kind === 'addresses' && way.of !== undefined ? way.addresses : undefined;
  if (!isDrained && !isBackup && nodePorts === undefined && resolved === undefined) return said;
  return {
    ...said,
    ...(resolved === undefined ? {} : { resolved }),
    ...(isDrained ? { isDrained } : {}),
    ...(isBackup ? { isBackup } : {}),
    ...(nodePorts === undefined ? {} : { nodePorts }),
  };
}

function byNameAndType(a: RecordSet, b: RecordSet): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  const [left, right] = [a.member?.id ?? '', b.member?.id ?? ''];
  return left < right ? -1 : left > right ? 1 : 0;
}
