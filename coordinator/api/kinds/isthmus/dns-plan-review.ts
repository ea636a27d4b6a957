// isthmus.dev/v1alpha1 DNSPlanReview: a question, answered and never stored. What would be written
// next at the provider of a DNSZone, and why it is not written yet.
//
//   POST /apis/isthmus.dev/v1alpha1/dnsplanreviews  {"spec":{"dnsZone":"public"}}

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { AppliedRecord, AppliedView, PlannedChange } from '../../../../common/model/views.ts';
import { splitServiceKey } from '../../../../common/model/ids.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import { invalid, notFound } from '../../machinery/answer/status-error.ts';
import { own, ownRecord, ownText, toJsonObject } from '../../machinery/schema/json-value.ts';
import { objectSchema } from '../common-schema.ts';
import { reviewKind } from '../definition.ts';
import { flag, int32, kept, list, struct, text, time } from '../schema-parts.ts';

const description =
  'Asks what would be written next at the provider of a DNSZone, and why not yet.';

// An answer that people read; whoever wants more asks for more.
const servicesDefault = 100;
const servicesMax = 10_000;

const record = struct('PlannedRecord', 'One record set.', {
  name: text('The name, without a trailing dot.'),
  type: text('Type of the records.'),
  ttlSeconds: kept(int32('Seconds that resolvers may keep it.')),
  data: text('What it says, as a zone file has it.'),
});

const change = struct('PlannedChange', 'What would be written of one Service, at once.', {
  namespace: text('Namespace of the Service.'),
  service: text('Name of the Service.'),
  deletes: list('What goes.', record),
  creates: list('What comes.', record),
  reason: text('Why it is not written at once, in one word. Absent: it is.'),
  message: text('Why it is not written at once.'),
});

const held = struct('HeldPlan', 'A change of so many names that a person has to confirm it.', {
  hash: text('Names exactly this plan: spec.confirmedPlan lets it go ahead.'),
  since: time('Since when it is held.'),
  services: int32('Services whose names it touches.'),
  recordSets: int32('Record sets that go or change their type.'),
  recordSetsMax: int32('How many may at once.'),
  message: text('Why it is held.'),
});

const schema = objectSchema('DNSPlanReview', description, {
  spec: struct('DNSPlanReviewSpec', 'The question.', {
    dnsZone: text('Name of the DNSZone.'),
    limit: int32(`Services to tell of, ${servicesMax} at most. Default ${servicesDefault}.`),
  }),
  status: struct('DNSPlanReviewStatus', 'The answer.', {
    isWritten: kept(
      flag('False: this zone is written at no provider, or another replica does it.'),
    ),
    pending: kept(int32('Services whose names are not yet as wanted, told of or not.')),
    recordSets: kept(int32('Record sets of ours that stand there.')),
    held,
    changes: list('What would be written, by namespace and name.', change),
  }),
});

export function dnsPlanReviewKind(
  applied: () => Pick<AppliedView, 'planned' | 'zone'> | undefined,
): KindDefinition {
  return reviewKind({
    kind: 'DNSPlanReview',
    plural: 'dnsplanreviews',
    description,
    schema,
    answerCreate: (review, { read }) => {
      const spec = ownRecord(toJsonObject(review), 'spec');
      const dnsZone = ownText(spec, 'dnsZone');
      const limit = own(spec, 'limit') ?? servicesDefault;
      if (typeof limit !== 'number' || limit < 1 || limit > servicesMax) {
        throw invalid({
          group: 'isthmus.dev',
          kind: 'DNSPlanReview',
          name: '',
          errors: [
            {
              field: 'spec.limit',
              reason: 'FieldValueInvalid',
              message: `Invalid value: ${String(limit)}: must be between 1 and ${servicesMax}`,
            },
          ],
        });
      }
      const found = read({ group: 'isthmus.dev', resource: 'dnszones', name: dnsZone });
      if (found === undefined) {
        throw notFound({ group: 'isthmus.dev', resource: 'dnszones', name: dnsZone });
      }
      return { ...review, status: toStatus(applied(), dnsZone, limit) } as KubeObject; // by its schema
    },
  });
}

function toStatus(
  applied: Pick<AppliedView, 'planned' | 'zone'> | undefined,
  dnsZone: string,
  limit: number,
): object {
  const zone = applied?.zone(dnsZone);
  if (applied === undefined || zone === undefined) {
    return { isWritten: false, pending: 0, recordSets: 0 };
  }
  const changes = applied.planned(dnsZone, limit).map(toChange);
  const { pending, recordSets, heldPlan } = zone;
  return {
    isWritten: true,
    pending,
    recordSets,
    ...(heldPlan === undefined ? {} : { held: toHeld(heldPlan) }),
    ...(changes.length === 0 ? {} : { changes }),
  };
}

function toHeld({
  sinceMs,
  ...plan
}: NonNullable<ReturnType<AppliedView['zone']>>['heldPlan'] & object) {
  return { ...plan, since: toTimestamp(sinceMs) };
}

function toChange({ key, deletes, creates, waits }: PlannedChange): object {
  const { namespace, name } = splitServiceKey(key);
  return {
    namespace,
    service: name,
    ...(deletes.length === 0 ? {} : { deletes: deletes.map(toRecord) }),
    ...(creates.length === 0 ? {} : { creates: creates.map(toRecord) }),
    ...(waits === undefined ? {} : waits),
  };
}

function toRecord({ name, type, ttlSeconds, data }: AppliedRecord): object {
  return { name, type, ttlSeconds, data };
}
