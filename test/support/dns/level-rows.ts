// Rows of a table of the planner: shards in, record sets out, each as one line; the audit has to
// agree with every row.

import type { TestFn } from 'ava';
import type { Publication, RecordSet } from '../../../common/model/publication.ts';
import { auditPublication } from '../../../coordinator/dns/publish/audit.ts';
import { planPublication, type PublicationInput } from '../../../coordinator/dns/publish/plan.ts';
import { embeddedShape, type ZoneShape } from '../../../coordinator/dns/publish/zone-shape.ts';
import { input, type ShardSketch } from '../dns-fixtures.ts';

export interface LevelRow {
  readonly title: string;
  readonly shards: readonly ShardSketch[];
  readonly more?: Partial<PublicationInput>;
  /** In any order, each as `name type what`, without what all names share. */
  readonly records: readonly string[];
  readonly reason?: string;
  /** Reasons, sorted. Default: none. */
  readonly notes?: readonly string[];
}

export const route53: ZoneShape = {
  ...embeddedShape,
  weights: 'members',
  hasAlias: true,
  hasFallbacks: true,
  levelNamesMax: 100,
};
export const cloudDns: ZoneShape = { ...route53, weights: 'items', hasAlias: false };
export const rfc2136: ZoneShape = { ...route53, weights: 'none', hasAlias: false };

export function elb(name: string, region = 'eu-west-1'): string {
  return `${name}.${region}.elb.amazonaws.com`;
}

export function planRow({ shards, more }: Pick<LevelRow, 'shards' | 'more'>) {
  const given = input(shards, more);
  const planned = planPublication(given);
  return { given, planned, findings: auditPublication(given, planned) };
}

export function testRows(test: TestFn, shape: ZoneShape, rows: readonly LevelRow[]): void {
  for (const row of rows) {
    test(row.title, (t) => {
      const { planned, findings } = planRow({
        shards: row.shards,
        more: { ...row.more, shape: { ...shape, ...row.more?.shape } },
      });
      t.deepEqual([...describeSets(planned)].sort(), [...row.records].sort());
      t.deepEqual(findings, []);
      t.is(planned.reason, row.reason ?? 'Published');
      t.deepEqual(
        (planned.notes ?? []).map(({ reason }) => reason),
        row.notes ?? [],
      );
    });
  }
}

export function describeSets(planned: Publication): readonly string[] {
  return planned.recordSets.map(describeSet);
}

/** `eu A 8.8.0.1`: names of nginx.web.myfederation without what they share. */
export function describeSet(set: RecordSet): string {
  const { type, values, weights, alias, items, member } = set;
  const what = [
    ...values.map((value, index) =>
      weights === undefined ? short(value) : `${value}*${weights[index] ?? '?'}`,
    ),
    ...(alias === undefined ? [] : [`alias:${alias.target}`]),
    ...(items ?? []).map((item) => `(${item.weight} ${item.values.map(short).join(' ')})`),
    ...(member === undefined ? [] : [`${member.id}*${member.weight}`]),
  ];
  return [short(set.name), type, ...what].join(' ');
}

const prefix = 'nginx.web.myfederation.svc';

function short(text: string): string {
  return text
    .replace(`${prefix}.example.com`, 'GLOBAL')
    .replace(new RegExp(`${prefix}\\.([a-z0-9.-]+)\\.example\\.com$`), '$1');
}
