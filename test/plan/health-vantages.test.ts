// What choosing vantage points costs when there are many, counted in steps.

import test from 'ava';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { ClusterTable } from '../../coordinator/health/cluster-table.ts';
import { Reach } from '../../coordinator/health/fold-reach.ts';
import { createVantages } from '../../coordinator/health/vantages.ts';
import { createManualClock } from '../support/manual-clock.ts';

const clusters = 1_000;
const names = Array.from({ length: clusters }, (_, at) => toClusterName(`member-${at}`));

function open() {
  const clock = createManualClock();
  const isAway = new Set<ClusterName>();
  let looks = 0;
  const entries = names.map((name) => ({ name, verdict: { life: 'live' } }));
  const table = {
    entries: () => entries,
    isTelemetryFresh: ({ name }: { readonly name: ClusterName }) => !isAway.has(name),
  } as unknown as ClusterTable; // what vantages ask of it
  const topology = { zones: [], region: undefined, provider: undefined };
  const vantages = createVantages({
    table,
    sessions: {
      session: (cluster: ClusterName) => {
        looks += 1;
        return { remoteAddress: `10.${names.indexOf(cluster) >> 8}.${looks & 255}.1` };
      },
    } as never,
    topology: () => topology as never,
    reach: new Reach(),
    rules: { allowLoopback: false },
    clock,
  });
  return { clock, vantages, isAway, looks: () => looks };
}

test('I11 after a restart all clusters look for vantage points, and the points are looked up once', (t) => {
  const { vantages, looks } = open();
  for (const name of names) t.is(vantages.forBaseline(name).length, 4);
  t.is(looks(), clusters);
});

test('a vantage point that cannot be asked any more is asked no longer than a moment', async (t) => {
  const { vantages, isAway, clock } = open();
  const [cluster] = names;
  if (cluster === undefined) return t.fail();
  const before = vantages.forBaseline(cluster).flatMap(({ cluster: name }) => name ?? []);
  for (const name of before) isAway.add(name);
  await clock.advance(100);
  const after = vantages.forBaseline(cluster).flatMap(({ cluster: name }) => name ?? []);
  t.is(after.length, 3);
  t.false(after.some((name) => isAway.has(name)));
});

test('each cluster is probed by others, and no agent by far more than its part', (t) => {
  const { vantages } = open();
  const parts = new Map<string, number>();
  for (const name of names) {
    for (const { id, cluster } of vantages.forBaseline(name)) {
      t.not(cluster, name);
      parts.set(id, (parts.get(id) ?? 0) + 1);
    }
  }
  parts.delete('coordinator');
  t.true(parts.size > 900, 'three of a thousand fall on nearly all');
  t.true(Math.max(...parts.values()) <= 15, String(Math.max(...parts.values())));
});
