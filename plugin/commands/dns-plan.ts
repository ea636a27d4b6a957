// dns plan: what would be written next at a DNSZone's provider, or at each one's, and why it is not
// written yet. Asks only; nothing is changed.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { parseTimestamp, systemClock as clock } from '../../common/runtime/clock.ts';
import { exitOk, type Command } from '../command.ts';
import { isthmus, type Federation } from '../federation.ts';
import { formatAge, formatValue, listAt, textAt, toTable, valueAt } from '../output.ts';
import { readZones, requireZone, zoneArgument } from './dns-facts.ts';

const reviewsPath = `${isthmus}/dnsplanreviews`;
// What a person reads; -o json has as many as the coordinator tells.
const shownServices = 20;
const toldServices = 10_000;

export const dnsPlan: Command = {
  words: ['dns', 'plan'],
  summary: 'Shows what would be written next at the provider of a DNSZone, and why not yet.',
  details: [
    'Without DNSZONE it shows all that are kept at a provider. ' +
      'The embedded zone answers at once: nothing of it waits.',
    'Lines with - go, lines with + come; each Service changes at once or not at all. A change waits ' +
      'while the zone is frozen, while so many names would change that a person has to confirm it, ' +
      'while records of others stand in the way, or while the provider cannot be written. Nothing is ' +
      'changed by looking.',
  ],
  args: [{ ...zoneArgument, isOptional: true }],
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml: the whole plan; without DNSZONE a list of them.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    { says: 'What waits anywhere', line: 'kubectl isthmus dns plan' },
    { says: 'What waits, and why', line: 'kubectl isthmus dns plan public' },
    {
      says: 'Only names that go',
      line: "kubectl isthmus dns plan public -o json | jq '.status.changes[].deletes[]?'",
    },
  ],
  run: async ({ args: [name], flags, io, federation }) => {
    const to = federation();
    const format = flags.text('output');
    const isText = format !== 'json' && format !== 'yaml';
    if (name === undefined) {
      const plans = await readPlans(to, isText ? shownServices : toldServices);
      const items = plans.map(({ review }) => review);
      if (isText) io.out(plansText(plans));
      else io.out(formatValue({ apiVersion: 'v1', kind: 'List', metadata: {}, items }, format));
      return exitOk;
    }
    await requireZone(to, name);
    const review = await readPlan(to, name);
    io.out(isText ? planText(name, review) : formatValue(review, format));
    return exitOk;
  },
};

interface ZonePlan {
  readonly name: string;
  readonly review: KubeObject;
}

/** Of every DNSZone that has a provider, by name; one after the other, since each may be long. */
async function readPlans(to: Federation, limit: number): Promise<readonly ZonePlan[]> {
  const names = (await readZones(to))
    .filter(({ spec }) => spec.provider !== 'Embedded')
    .map(({ metadata }) => metadata.name)
    .sort();
  const plans: ZonePlan[] = [];
  for (const name of names) plans.push({ name, review: await readPlan(to, name, limit) });
  return plans;
}

export function plansText(plans: readonly ZonePlan[]): string {
  if (plans.length > 0) return plans.map(({ name, review }) => planText(name, review)).join('\n');
  return (
    'The federation has no DNSZone at a provider: the coordinator answers for its names itself, ' +
    'as soon as they are decided.\n'
  );
}

export function readPlan(
  to: Federation,
  dnsZone: string,
  limit = toldServices,
): Promise<KubeObject> {
  return to.post(reviewsPath, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DNSPlanReview',
    metadata: {},
    spec: { dnsZone, limit },
  });
}

export function planText(name: string, review: KubeObject): string {
  const at = (...path: readonly string[]): string => textAt(review, 'status', ...path);
  if (at('isWritten') !== 'true') {
    return (
      `DNSZone ${name} is written at no provider by this coordinator: the embedded zone answers as ` +
      'soon as names are decided, and a zone that is refused says why in its conditions ' +
      `(kubectl describe dnszone ${name}).\n`
    );
  }
  const changes = listAt(review, 'status', 'changes').map(toObject);
  const head = `DNSZone ${name}: ${count(at('recordSets'), 'record set')} of ours, ${count(at('pending'), 'Service')} with changes to write.\n`;
  if (changes.length === 0 && Number(at('pending')) > 0)
    return `${head}They wait, so nothing is written now; for what says kubectl describe dnszone ${name}\n`;
  if (changes.length === 0) return `${head}Nothing is to be written.\n`;
  const shown = changes.slice(0, shownServices).map(toChange).join('\n');
  const rest = Number(at('pending')) - Math.min(changes.length, shownServices);
  const more =
    rest > 0 ? `\nand ${rest} more Services: kubectl isthmus dns plan ${name} -o json\n` : '';
  return `${head}${toHeld(name, review)}\n${shown}${more}`;
}

function count(number: string, what: string): string {
  return `${number} ${what}${number === '1' ? '' : 's'}`;
}

function toHeld(name: string, review: KubeObject): string {
  const hash = textAt(review, 'status', 'held', 'hash');
  if (hash === '') return '';
  const since = parseTimestamp(textAt(review, 'status', 'held', 'since'));
  const age = since === undefined ? '' : ` for ${formatAge(clock.now() - since)}`;
  return (
    `Held${age}: ${textAt(review, 'status', 'held', 'message')}\n` +
    `Let exactly this plan go ahead: kubectl isthmus dns confirm ${name} ${hash}\n`
  );
}

function toChange(change: object): string {
  const waits = textAt(change, 'message') || textAt(change, 'reason');
  const title = `${textAt(change, 'namespace')}/${textAt(change, 'service')}`;
  const rows = [
    ...listAt(change, 'deletes').map((record) => ['  -', ...toCells(record)]),
    ...listAt(change, 'creates').map((record) => ['  +', ...toCells(record)]),
  ];
  const [, ...lines] = toTable(['', '', '', ''], rows).split('\n');
  return `${title}${waits === '' ? '' : `   waits: ${waits}`}\n${lines.join('\n')}`;
}

function toCells(record: unknown): readonly string[] {
  const at = (field: string): string => textAt(toObject(record), field);
  const ttl = valueAt(toObject(record), 'ttlSeconds');
  return [at('name'), at('type'), `${at('data')}${typeof ttl === 'number' ? ` (TTL ${ttl})` : ''}`];
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
