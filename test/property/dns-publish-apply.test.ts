// The planner's publications as the applier takes them: in every kind of zone each step of a history
// of health is one change of exact deletes and creates that the applier's own audit agrees with.

import test from 'ava';
import fc from 'fast-check';
import { auditGroup } from '../../coordinator/dns/apply/audit.ts';
import { toMark } from '../../coordinator/dns/apply/ownership.ts';
import { planGroup } from '../../coordinator/dns/apply/plan-group.ts';
import { byIdentity, textOf, toZoneRecordSets } from '../../coordinator/dns/apply/zone-records.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { nginx } from '../support/dns-fixtures.ts';
import { history, play, runs, seed, shapes } from '../support/dns/shape-world.ts';

const scope = { federation: 'myfederation', domain: 'example.com' };
const mark = toMark(nginx, scope, { ownerId: 'owner-1', ttlSecondsMin: 1 });

test('each step of a history is a change that the applier agrees with, and ends as wanted', (t) => {
  fc.assert(
    fc.property(shapes, history, (shape, moments) => {
      let recorded: readonly ZoneRecordSet[] = [];
      return play(shape, moments).every(({ planned }) => {
        const wanted = toZoneRecordSets(planned);
        const from = { recorded, observed: undefined, takeOverFrom: [], isHandedBack: false };
        const plan = planGroup({ key: nginx, wanted, mark, ...from });
        const all = wanted.length === 0 ? [] : [...wanted, mark].sort(byIdentity);
        const isAsWanted =
          plan.after.toSorted(byIdentity).map(textOf).join() === all.map(textOf).join();
        recorded = plan.after;
        if (plan.kind === 'settled') return isAsWanted;
        const short = planned.recordSets.filter(({ level }) => level === 'alias');
        const shortNames = new Set(short.map(({ name }) => name));
        const { group } = plan;
        const findings = auditGroup({ key: nginx, scope, group, mark, shortNames, ...from });
        return isAsWanted && findings.length === 0 && plan.obstacle === undefined;
      });
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});
