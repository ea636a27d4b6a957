// isthmus.dev/v1alpha1 DNSImportReview: a question, answered and never stored. What stands at the
// provider of a DNSZone at names of the federation's form, whoever wrote it, one page of the zone
// after the other. Nothing is changed: `kubectl isthmus dns import` says what could become ours.
//
//   POST /apis/isthmus.dev/v1alpha1/dnsimportreviews
//     {"spec":{"dnsZone":"public","continue":"..."}}

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { ImportPage, ImportSource } from '../../../../common/model/views.ts';
import { MeshError } from '../../../../common/pure/errors.ts';
import { notFound, serviceUnavailable, toApiError } from '../../machinery/answer/status-error.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import { ownRecord, ownText, toJsonObject } from '../../machinery/schema/json-value.ts';
import { objectSchema } from '../common-schema.ts';
import { reviewKind } from '../definition.ts';
import { int32, kept, list, struct, text, texts } from '../schema-parts.ts';

const description =
  "Asks what stands at the provider of a DNSZone at names of the federation's form, a page at a time.";

const record = struct('ImportedRecord', 'One record set, as it stands.', {
  name: text('The name, without a trailing dot.'),
  type: text('Type of the records.'),
  ttlSeconds: kept(int32('Seconds that resolvers may keep it.')),
  data: texts('What it says.'),
});

const schema = objectSchema('DNSImportReview', description, {
  spec: struct('DNSImportReviewSpec', 'The question.', {
    dnsZone: text('Name of the DNSZone.'),
    continue: text('status.continue of the page before. Absent: the first one.'),
  }),
  status: struct('DNSImportReviewStatus', 'The answer.', {
    read: kept(int32('Record sets of the whole zone that this page looked at.')),
    ownerId: text("This coordinator's owner id, as its own marks have it."),
    records: list('Those that concern the federation.', record),
    continue: text('Of the next page. Absent: this is the last one.'),
  }),
});

export function dnsImportReviewKind(source: () => ImportSource | undefined): KindDefinition {
  return reviewKind({
    kind: 'DNSImportReview',
    plural: 'dnsimportreviews',
    description,
    schema,
    answerCreate: async (review, { read }) => {
      const spec = ownRecord(toJsonObject(review), 'spec');
      const dnsZone = ownText(spec, 'dnsZone');
      const at = { group: 'isthmus.dev', resource: 'dnszones', name: dnsZone };
      if (read(at) === undefined) throw notFound(at);
      const page = await pageOf(source(), dnsZone, ownText(spec, 'continue') || undefined);
      return { ...review, status: toStatus(page) } as KubeObject; // by its schema
    },
  });
}

async function pageOf(
  source: ImportSource | undefined,
  dnsZone: string,
  after: string | undefined,
): Promise<ImportPage> {
  let page: ImportPage | undefined;
  try {
    page = await source?.page(dnsZone, after);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw serviceUnavailable(`reading the zone of DNSZone "${dnsZone}": ${error.message}`, 5);
  }
  if (page !== undefined) return page;
  throw toApiError({
    code: 422,
    reason: 'Invalid',
    message:
      `DNSZone "${dnsZone}" has no provider to read: the embedded zone has no records of others, ` +
      'and a zone that is refused says why in its conditions',
  });
}

function toStatus({ read, ownerId, records, next }: ImportPage): object {
  return {
    read,
    ownerId,
    ...(records.length === 0 ? {} : { records }),
    ...(next === undefined ? {} : { continue: next }),
  };
}
